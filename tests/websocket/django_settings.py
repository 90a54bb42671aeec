"""As little Django as its channels need, and the example application in Django."""

from __future__ import annotations

SECRET_KEY = "of the tests"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes"]
MIDDLEWARE = ["asgi_auth.integrations.channels.RefusalMiddleware"]
ROOT_URLCONF = "tests.integrations.apps.channels"
LOGGING_CONFIG = None
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        # Shared by the threads that Django asks from.
        "NAME": "file:asgi_auth?mode=memory&cache=shared",
    }
}
