// An OpenID provider that others wrote, oidc-provider, with its pages for development:
// whoever types a name is logged in, and an address belongs to each name.
import { createServer } from "node:http";
import Provider from "oidc-provider";

const [, , redirectUri] = process.argv;
const listener = createServer();
await new Promise((done) => listener.listen(0, "127.0.0.1", done));
const base = `http://127.0.0.1:${listener.address().port}`;

const provider = new Provider(base, {
  clients: [
    {
      client_id: "shop",
      client_secret: "a-secret-of-the-client-shop",
      grant_types: ["authorization_code", "refresh_token"],
      redirect_uris: [redirectUri],
    },
  ],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true } },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      email: `${id}@example.com`,
      email_verified: id !== "mallory",
      name: `${id} Example`,
    }),
  }),
});
listener.on("request", provider.callback());
console.log(base);
