// An identity provider made of samlp, for the end-to-end tests. How it signs is in
// the path: /sso/assertion, /sso/response and so on. argv: directory with
// idp.key, idp.crt and sp.crt.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const express = require('express');
const samlp = require('samlp');

const read = (name) => fs.readFileSync(path.join(process.argv[2], name), 'utf8');
const users = {
  alice: { password: 'wonder-1', claims: { uid: 'alice', mail: 'alice@example.com', groups: ['staff', 'admins'] } },
  bob: { password: 'wonder-2', claims: { uid: 'bob' } },
};
const common = {
  issuer: 'https://node-idp.test/entity',
  key: read('idp.key'),
  cert: read('idp.crt'),
  nameIdentifierFormat: 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
  lifetimeInSeconds: 300,
  destination: 'https://api.test/mic/acs',
  recipient: 'https://api.test/mic/acs',
  getUserFromRequest: (req) => users[req.login],
  profileMapper: (user) => ({
    getClaims: () => user.claims,
    getNameIdentifier: () => ({ nameIdentifier: 'id-of-' + user.claims.uid }),
  }),
  getPostURL: (audience, request, req, done) => done(null, 'https://api.test/mic/acs'),
};
const encryption = { encryptionCert: read('sp.crt'), encryptionPublicKey: crypto.createPublicKey(read('sp.crt')).export({ type: 'spki', format: 'pem' }) };
const modes = {
  assertion: {},
  response: { signAssertion: false, signResponse: true },
  both: { signResponse: true },
  prefixed: { signResponse: true, signatureNamespacePrefix: 'ds', includeAttributeNameFormat: true, typedAttributes: true },
  none: { signAssertion: false },
  sha1: { signatureAlgorithm: 'rsa-sha1', digestAlgorithm: 'sha1' },
  encrypted: { ...encryption, encryptionAlgorithm: 'http://www.w3.org/2009/xmlenc11#aes256-gcm' },
  signed: { signingCert: read('sp.crt') }, // takes signed requests only
  transient: { nameIdentifierFormat: 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient' },
  elsewhere: { audience: 'https://other.test' },
};

const sessions = new Map();
const app = express();
app.use((req, res, next) => {
  req.login = sessions.get((req.headers.cookie || '').replace(/^sid=/, ''));
  next();
});
const page = (req) => `<form method="post" action="/login?next=${encodeURIComponent(req.originalUrl)}">
  <input type="text" name="username" value=""><input type="password" name="password" value=""><button>Log in</button></form>
  <a href="/cancel?${req.originalUrl.split('?')[1]}">Cancel</a>`;
app.get('/sso/:mode', (req, res, next) => {
  if (!modes[req.params.mode]) return next();
  if (!req.login) return res.send(page(req));
  samlp.auth({ ...common, ...modes[req.params.mode] })(req, res, next);
});
app.post('/login', express.urlencoded({ extended: false }), (req, res) => {
  const user = Object.hasOwn(users, req.body.username) ? users[req.body.username] : null;
  const to = new URL(req.query.next, 'http://here');
  if (!user || user.password !== req.body.password) return res.status(401).send(page({ originalUrl: to.pathname + to.search }));
  const sid = crypto.randomBytes(16).toString('hex');
  sessions.set(sid, req.body.username);
  res.setHeader('Set-Cookie', `sid=${sid}; Path=/; HttpOnly`);
  res.redirect(to.pathname + to.search);
});
app.get('/cancel', (req, res, next) => samlp.parseRequest(req, {}, (err, request) => {
  if (err) return next(err);
  samlp.sendError({
    ...common,
    inResponseTo: request.id,
    RelayState: req.query.RelayState,
    error: { code: 'urn:oasis:names:tc:SAML:2.0:status:Responder', description: 'the user has cancelled' },
    getPostURL: (r, done) => done(null, 'https://api.test/mic/acs'),
  })(req, res, next);
}));
app.get('/metadata', samlp.metadata({ ...common, profileMapper: undefined, redirectEndpointPath: '/sso/assertion', postEndpointPath: '/sso/assertion' }));
app.use((err, req, res, next) => res.status(400).send('refused: ' + err.message));
const server = app.listen(0, '127.0.0.1', () => console.log('listening on', server.address().port));
