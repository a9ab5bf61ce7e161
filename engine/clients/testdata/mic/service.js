'use strict';
// What the operator of the server and an app without an SDK do.

const life = require('../life/lifecycle');

const { assert, kid, must, rest } = life;
const redirect = 'http://localhost:9876/callback';
const asApp = `Basic ${btoa(`${kid}:${life.appSecret}`)}`;

let operator;
// manage is a request of the operator.
async function manage(method, path, body) {
  if (!operator) operator = `Kinvey ${(await must('POST', '/v4/session', { email: 'dev@localhost', password: 'dev' })).token}`;
  return must(method, path, body, operator);
}

// change changes settings of the app's default service, and returns its id.
async function change(settings) {
  const { defaultAuthServiceId: id } = await manage('GET', `/v4/environments/${kid}`);
  const service = await manage('GET', `/v4/auth-services/${id}`);
  await manage('PUT', `/v4/auth-services/${id}`, Object.assign(service, settings));
  return id;
}

// directory makes an auth service of a provider the app's default, in the identity
// store of the one before it, and returns its id.
async function directory(provider, mapping, redirectUri) {
  const { identityStoreId } = await manage('GET', `/v4/environments/${kid}`);
  const { id } = await manage('POST', '/v4/auth-services', { name: 'Acme', identityStoreId, redirectUri, provider, mapping });
  await manage('PUT', `/v4/environments/${kid}`, { defaultAuthServiceId: id });
  return id;
}

// session asks with a session that no SDK repairs.
const session = token => rest('GET', `/appdata/${kid}/deals`, undefined, `Kinvey ${token}`);

// expired waits until a session is good no more: the server's clock says when.
async function expired(token) {
  let answer;
  const until = Date.now() + 30_000;
  do answer = await session(token); while (answer.status === 200 && Date.now() < until);
  assert.deepEqual([answer.status, answer.body.error], [401, 'InvalidCredentials']);
}

async function form(path, fields) {
  const answer = await fetch(life.url + path, {
    method: 'POST', headers: { Authorization: asApp }, body: new URLSearchParams(fields),
  });
  return { status: answer.status, body: await answer.json() };
}

const refresh = token => form('/oauth/token', { grant_type: 'refresh_token', client_id: kid, refresh_token: token });
const revoke = token => form('/oauth/revoke', { client_id: kid, token });
const openSession = kinveyAuth => rest('POST', `/user/${kid}/login`, { _socialIdentity: { kinveyAuth } }, asApp);

module.exports = { change, directory, expired, form, manage, openSession, redirect, refresh, revoke, session };
