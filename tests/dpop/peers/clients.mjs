// Two clients that others wrote, oauth4webapi and dpop, against our server.
import * as oauth from "oauth4webapi";
import * as dpop from "dpop";

const base = process.argv[2];
const insecure = { [oauth.allowInsecureRequests]: true };
const client = { client_id: "web" };
const server = (path) => ({ issuer: base, token_endpoint: `${base}/auth/${path}` });
const report = {};

async function twice(send) {
  try {
    return await send();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    report.nonces = (report.nonces ?? 0) + 1;
    return await send();
  }
}

for (const algorithm of ["ES256", "Ed25519"]) {
  const keys = await oauth.generateKeyPair(algorithm);
  const DPoP = oauth.DPoP(client, keys);
  const options = { DPoP, ...insecure };
  const form = { username: "ann@example.com", password: "violet-otter-42-lamp" };

  const login = server("login");
  let pair = await twice(async () => {
    const answer = await oauth.genericTokenEndpointRequest(
      login, client, oauth.None(), "password", form, options,
    );
    return await oauth.processGenericTokenEndpointResponse(login, client, answer);
  });
  report[`${algorithm} type`] = pair.token_type;

  const refresh = server("refresh");
  pair = await twice(async () => {
    const answer = await oauth.refreshTokenGrantRequest(
      refresh, client, oauth.None(), pair.refresh_token, options,
    );
    return await oauth.processRefreshTokenResponse(refresh, client, answer);
  });

  const url = new URL(`${base}/orders/%7euser?page=2#top`);
  const answer = await twice(() =>
    oauth.protectedResourceRequest(pair.access_token, "POST", url, undefined, "body", options),
  );
  report[`${algorithm} resource`] = answer.status;

  try {
    await oauth.protectedResourceRequest(pair.access_token, "GET", url, undefined, null, insecure);
  } catch (error) {
    report[`${algorithm} as bearer`] = error.cause.map((each) => each.parameters.error);
  }
}

const keys = await dpop.generateKeyPair("ES256");
const login = `${base}/auth/login`;
const body = JSON.stringify({ email: "ann@example.com", password: "violet-otter-42-lamp" });
let nonce;
let answer;
for (let attempt = 0; attempt < 2; attempt++) {
  const proof = await dpop.generateProof(keys, login, "POST", nonce);
  const headers = { DPoP: proof, "content-type": "application/json" };
  answer = await fetch(login, { method: "POST", headers, body });
  nonce = answer.headers.get("dpop-nonce") ?? nonce;
}
const { access_token: token } = await answer.json();
const proof = await dpop.generateProof(keys, `${base}/orders/a`, "GET", nonce, token);
const headers = { DPoP: proof, authorization: `DPoP ${token}` };
report["dpop resource"] = (await fetch(`${base}/orders/a`, { headers })).status;
report["dpop again"] = (await fetch(`${base}/orders/a`, { headers })).status;
console.log(JSON.stringify(report));
