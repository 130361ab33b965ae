// A real OpenID provider for the test of the sign-in: whoever types an e-mail address is its owner.
// node oidc_provider.mjs PORT REDIRECT_URI; `oidc-provider` is found in NODE_MODULES.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const found = createRequire(`${process.env.NODE_MODULES}/`).resolve("oidc-provider");
const { Provider } = await import(pathToFileURL(found));
const [port, redirect] = process.argv.slice(2);

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: "paceline",
    client_secret: "not-a-secret-of-anybody",
    redirect_uris: [redirect],
    post_logout_redirect_uris: [redirect],
  }],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  conformIdTokenClaims: false,
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: id, email_verified: !id.startsWith("unverified"), name: id }),
  }),
  cookies: { keys: ["only-for-tests"] },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("listening"));
