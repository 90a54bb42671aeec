"""Django's ROOT_URLCONF of the apps that catch all."""

from __future__ import annotations

from django.http import JsonResponse
from django.urls import re_path


def view(request, path):
    return JsonResponse({"routed": "/" + path})


urlpatterns = [re_path(r"^(?P<path>.*)$", view)]
