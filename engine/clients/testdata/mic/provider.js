'use strict';
// The OpenID provider beside the server, which the test that runs a script gives
// orders for it: a line to it, and one back when it is done.

const { createInterface } = require('node:readline');
const life = require('../life/lifecycle');
const service = require('./service');

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function tell(order) {
  process.stdout.write(`${JSON.stringify({ tell: order })}\n`);
  life.assert.equal((await answers.next()).value, 'done');
}

// The provider's own users, and their passwords.
const passwords = { alice: 'wonderland', bob: 'builder', carol: 'christmas' };

// connect makes the provider the one of the app.
async function connect() {
  const secret = 'the-secret-of-a-client';
  const id = await service.directory({
    type: 'OIDC',
    options: {
      issuer: process.env.POSTERN_ISSUER, clientId: 'postern', clientSecret: secret, prompt: 'consent',
      scopes: ['profile', 'email', 'groups', 'offline_access'], attributes: ['email', 'name'],
    },
  }, { fields: { email: 'email', fullName: 'name' }, groups: 'sync', allGroups: true, groupPrefix: 'acme:' }, [service.redirect, 'http://127.0.0.1/callback']);
  await tell(`register postern ${secret} ${life.url}/oauth2/redirect/${id}`);
}

// done lets the script end.
const done = () => process.stdin.destroy();

module.exports = { connect, done, passwords, tell };
