// An issuer that others wrote, oidc-provider, which binds tokens to keys; and a resource
// server that oauth4webapi protects. Both are on one port, for our client and backends.
import { createServer } from "node:http";
import { randomBytes } from "node:crypto";
import * as oauth from "oauth4webapi";
import Provider from "oidc-provider";

const [, , ours, audience] = process.argv;
const listener = createServer();
await new Promise((done) => listener.listen(0, "127.0.0.1", done));
const base = `http://127.0.0.1:${listener.address().port}`;

const provider = new Provider(base, {
  clients: [
    {
      client_id: "orders",
      client_secret: "a-secret-of-the-client-orders",
      grant_types: ["client_credentials", "authorization_code", "refresh_token"],
      redirect_uris: [`${base}/callback`],
      token_endpoint_auth_method: "client_secret_post",
      introspection_endpoint_auth_method: "client_secret_post",
    },
  ],
  scopes: ["openid", "offline_access", "read"],
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  rotateRefreshToken: true,
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (ctx) => ctx.oidc.params?.resource,
      getResourceServerInfo: (_, resource) => ({
        scope: "read",
        audience: resource,
        accessTokenFormat: resource.endsWith("/opaque") ? "opaque" : "jwt",
        jwt: { sign: { alg: "RS256" } },
      }),
      useGrantedResource: () => true,
    },
  },
});

const judged = { issuer: ours, jwks_uri: `${ours}/jwks.json` };

async function judge(request, response) {
  const headers = Object.fromEntries(
    Object.entries(request.headers).filter(([, value]) => typeof value === "string"),
  );
  const asked = new Request(base + request.url, { method: request.method, headers });
  try {
    const options = { requireDPoP: true, [oauth.allowInsecureRequests]: true };
    const claims = await oauth.validateJwtAccessToken(judged, asked, audience, options);
    response.end(JSON.stringify({ subject: claims.sub }));
  } catch (error) {
    response.writeHead(401).end(String(error));
  }
}

async function refreshToken(request, response) {
  const jkt = new URL(request.url, base).searchParams.get("jkt");
  const client = await provider.Client.find("orders");
  const grant = new provider.Grant({ accountId: "ada", clientId: "orders" });
  grant.addOIDCScope("openid offline_access");
  grant.addResourceScope("urn:api", "read");
  const token = new provider.RefreshToken({
    accountId: "ada",
    client,
    grantId: await grant.save(),
    gty: "authorization_code",
    scope: "openid offline_access read",
    resource: "urn:api",
    jkt,
  });
  response.end(await token.save());
}

const callback = provider.callback();
listener.on("request", (request, response) => {
  if (request.url.startsWith("/orders")) judge(request, response);
  else if (request.url.startsWith("/refresh-token")) refreshToken(request, response);
  else callback(request, response);
});
console.log(base);
