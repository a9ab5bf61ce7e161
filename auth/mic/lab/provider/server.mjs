// The certified oidc-provider on a port of loopback, with accounts in memory and
// pages of its own to log in and to consent. It prints where it is, then takes
// commands, a line each, and answers each with a line:
//
//   disable NAME   enable NAME   groups NAME A,B   down   up   rotate
//   register ID SECRET URI   (a client, or one more redirect URI of it)
//
// It ends with its standard input. NODE_PATH has the packages; CLAIMS=info puts
// claims into the user info alone, as the specification would have it.
import { createServer } from 'node:http';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const library = join(process.env.NODE_PATH, 'oidc-provider', 'lib', 'index.js');
const { Provider } = await import(pathToFileURL(library));

const accounts = new Map(Object.entries({
  alice: { password: 'wonderland', name: 'Alice', groups: ['staff', 'admins'] },
  bob: { password: 'builder', name: 'Bob', groups: ['staff'] },
  carol: { password: 'christmas', name: 'Carol Æ.' },
}));

const callback = 'https://postern.example/mic/callback/1';
const grant_types = ['authorization_code', 'refresh_token'];
const clients = [
  { client_id: 'basic', client_secret: 'a secret: of 100% & more', id_token_signed_response_alg: 'RS256' },
  { client_id: 'post', client_secret: 'another', token_endpoint_auth_method: 'client_secret_post', id_token_signed_response_alg: 'ES256' },
  { client_id: 'public', token_endpoint_auth_method: 'none', id_token_signed_response_alg: 'PS256' },
  { client_id: 'edwards', token_endpoint_auth_method: 'none', id_token_signed_response_alg: 'EdDSA' },
].map((c) => ({ ...c, redirect_uris: [callback], grant_types, response_types: ['code'] }));

// What the provider stores. Its own store in memory would be emptied when another
// generation starts.
const stored = new Map();

class Store {
  constructor(model) { this.model = model; }

  async upsert(id, payload, expiresIn) {
    stored.set(`${this.model} ${id}`, { payload, until: expiresIn ? Date.now() + expiresIn * 1000 : Infinity });
  }

  async find(id) {
    const found = stored.get(`${this.model} ${id}`);
    return found && found.until > Date.now() ? found.payload : undefined;
  }

  async findByUid(uid) {
    for (const [key, { payload }] of stored) {
      if (key.startsWith(`${this.model} `) && payload.uid === uid) return this.find(key.slice(this.model.length + 1));
    }
    return undefined;
  }

  async consume(id) { (await this.find(id)).consumed = Math.floor(Date.now() / 1000); }

  async destroy(id) { stored.delete(`${this.model} ${id}`); }

  async revokeByGrantId(grantId) {
    for (const [key, { payload }] of stored) {
      if (key.startsWith(`${this.model} `) && payload.grantId === grantId) stored.delete(key);
    }
  }
}

const cookieKey = randomBytes(32).toString('hex');
let generation = 0;

// Each generation has keys of its own: rotating them is to start another one.
function start(issuer) {
  generation += 1;
  const keys = [
    ['rsa', { modulusLength: 2048 }, 'RS256'], ['rsa', { modulusLength: 2048 }, 'PS256'],
    ['ec', { namedCurve: 'P-256' }, 'ES256'], ['ed25519', {}, 'EdDSA'],
  ].map(([type, options, alg]) => ({
    ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: `${alg}-${generation}`,
  }));
  return new Provider(issuer, {
    adapter: Store,
    clients,
    jwks: { keys },
    claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'], groups: ['groups', 'realm_access'] },
    scopes: ['openid', 'offline_access'],
    conformIdTokenClaims: process.env.CLAIMS === 'info',
    cookies: { keys: [cookieKey] },
    features: { devInteractions: { enabled: false }, revocation: { enabled: true } },
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    rotateRefreshToken: true,
    pkce: { required: () => true },
    ttl: { AccessToken: 300, AuthorizationCode: 60, IdToken: 300, RefreshToken: 3600, Interaction: 600, Grant: 3600, Session: 3600 },
    async findAccount(ctx, id) {
      const account = accounts.get(id);
      if (!account || account.disabled) return undefined;
      return {
        accountId: id,
        claims: async () => ({
          sub: id, name: account.name, email: `${id}@example.com`, email_verified: true,
          ...(account.groups && { groups: account.groups, realm_access: { roles: account.groups } }),
        }),
      };
    },
  });
}

const page = (body) => `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Test provider</title><h1>Test provider</h1>${body}`;

const loginPage = (uid, problem = '') => page(`<p>${problem}</p><form method="post" action="/interaction/${uid}">
  <input name="username"><input type="password" name="password"><button name="do" value="login">Log in</button></form>`);

const consentPage = (uid) => page(`<form method="post" action="/interaction/${uid}">
  <button name="do" value="allow">Allow</button><button name="do" value="deny">Deny</button></form>`);

async function interact(provider, req, res) {
  const { uid, prompt, params, session, grantId } = await provider.interactionDetails(req, res);
  const show = (status, html) => res.writeHead(status, { 'content-type': 'text/html; charset=utf-8' }).end(html);
  if (req.method !== 'POST') {
    return show(200, prompt.name === 'login' ? loginPage(uid) : consentPage(uid));
  }
  let body = '';
  for await (const part of req) body += part;
  const form = new URLSearchParams(body);
  const finish = (result, mergeWithLastSubmission) => provider.interactionFinished(req, res, result, { mergeWithLastSubmission });
  if (form.get('do') === 'deny') {
    return finish({ error: 'access_denied', error_description: 'End-User aborted interaction' }, false);
  }
  if (prompt.name === 'login') {
    const name = form.get('username');
    const account = accounts.get(name);
    if (!account || account.password !== form.get('password')) return show(401, loginPage(uid, 'Wrong name or password.'));
    if (account.disabled) return show(403, loginPage(uid, 'This account is disabled.'));
    return finish({ login: { accountId: name } }, false);
  }
  const grant = (grantId && await provider.Grant.find(grantId)) || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  return finish({ consent: { grantId: await grant.save() } }, true);
}

let provider;
const server = createServer((req, res) => {
  if (!req.url.startsWith('/interaction/')) return provider.callback()(req, res);
  return interact(provider, req, res).catch((err) => res.writeHead(500).end(String(err)));
});
const listen = (port) => new Promise((resolve) => { server.listen(port, '127.0.0.1', resolve); });
await listen(0);
const { port } = server.address();
const issuer = `http://127.0.0.1:${port}`;
provider = start(issuer);
console.log(`ready ${issuer}`);

const commands = {
  disable: (name) => { accounts.get(name).disabled = true; },
  enable: (name) => { accounts.get(name).disabled = false; },
  groups: (name, list) => { accounts.get(name).groups = list && list.split(','); },
  down: () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); }),
  up: () => listen(port),
  rotate: () => { provider = start(issuer); },
  register: async (client_id, client_secret, uri) => {
    const before = await new Store('Client').find(client_id);
    const redirect_uris = [...(before?.redirect_uris ?? []), uri];
    await new Store('Client').upsert(client_id, { client_id, client_secret, redirect_uris, grant_types, response_types: ['code'] });
  },
};
for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...args] = line.split(' ');
  await commands[name](...args);
  console.log(`done ${name}`);
}
process.exit(0);
