'use strict';
// What every client is put through with Mobile Identity Connect: the service is
// that of the development server, whose users are its own. A client has several
// ways to log in; each is taken through all of it. A script for a client adapts
// the client's own calls to the names that are used here.

const life = require('../life/lifecycle');
const service = require('./service');

const { assert, fails, kid, must } = life;
const { redirect } = service;
const ids = entities => entities.map(entity => entity._id).sort();

// refused is a login that leads to nothing, with an error of this name, for a
// reason that is said.
async function refused(client, way, options, [name, reason], { p = client.program(), user = 'alice', password = user } = {}) {
  const error = await fails(client, p.login(way, user, [password], options), name);
  assert.match(client.told(p, error), reason);
  assert.equal(await p.active(), null);
}

// refusals are the logins that a client is refused.
async function refusals(client, way) {
  const refuses = (what, ...how) => life.check(`${way.name}: ${what}`, () => refused(client, way, ...how));
  await refuses('a wrong password', {}, way.denied, { password: 'wrong' });
  await refuses('an unknown user', {}, way.denied, { user: 'nobody' });
  await refuses('a service that is not there', { micId: 'f'.repeat(32) }, way.unknown);
  await refuses('an app that is not there', {}, way.unknown, { p: client.program({ appKey: 'kid_none' }) });
  await refuses('a wrong app secret', {}, way.badSecret, { p: client.program({ appSecret: 'a'.repeat(32) }) });
  if (way.redirect) {
    for (const uri of ['http://evil.example/', `${redirect}/`, `${redirect}?a=b`, redirect.toUpperCase()]) {
      await refuses(`${uri}, which is not registered`, { redirect: uri }, way.badRedirect);
    }
    await service.change({ requirePkce: true });
    await refuses('a service that demands PKCE, which the SDK does not have', {}, way.badRequest);
    await service.change({ requirePkce: false });
  }
  if (way.option) {
    await service.change({ [way.option]: false });
    await refuses('a service that does not allow it', {}, way.closed);
    await service.change({ [way.option]: true });
  }
}

// logins takes a client through one way to log in. client.program() is a program
// of one user; program.login(way, name, passwords, options) logs in.
async function logins(client, way) {
  const check = (name, act) => life.check(`${way.name}: ${name}`, act);
  const login = async (name, options) => {
    const p = client.program();
    await p.login(way, name, [name], options);
    return p;
  };
  const works = async (p) => assert.deepEqual(ids(await p.find('deals')), ['d1']);
  const token = async p => (await p.active())._kmd.authtoken;
  const kept = async p => Object.assign({}, (await p.active())._socialIdentity.kinveyAuth);
  // over is a session that the SDK cannot save, and so forgets.
  const over = async (p) => {
    await fails(client, p.find('deals'), 'InvalidCredentials');
    assert.equal(await p.active(), null);
  };

  const alice = client.program();
  await check('log in', async () => {
    const user = await alice.login(way, 'alice', ['alice']);
    assert.equal(user.username, 'alice');
    assert.match(user._kmd.authtoken, /^[0-9a-f-]{36}\./);
  });
  await check('the session works', () => works(alice));
  await check('the user is the one of the app', async () => {
    const other = client.program();
    assert.equal((await other.plain('alice', 'alice'))._id, (await alice.active())._id);
  });
  await check('what the SDK keeps for later', async () => {
    const { access_token: access, refresh_token: next, ...rest } = await kept(alice);
    assert.equal(typeof access, 'string');
    assert.equal(typeof next, 'string');
    assert.notEqual(access, next);
    const { identity, client_id: id, redirect_uri: uri, token_type: type, expires_in: seconds } = rest;
    assert.deepEqual([identity, id, uri, type, seconds], ['kinveyAuth', kid, way.redirect, 'Bearer', 3600]);
  });
  await check('the record that the server shows has no token', async () => {
    const text = JSON.stringify(await must('GET', `/user/${kid}/${(await alice.active())._id}`));
    const { access_token: access, refresh_token: next } = await kept(alice);
    assert(!text.includes(access) && !text.includes(next), text);
  });
  for (const version of [1, 2, 'v3']) {
    await check(`by version ${version} of the interface`, async () => works(await login('bob', { version })));
  }
  const id = await service.change({});
  await check('by the id of the service', async () => {
    const p = await login('carol', { micId: id });
    await works(p);
    assert.equal((await kept(p)).client_id, `${kid}.${id}`);
  });
  await check('several users at once, each with what is his', async () => {
    const programs = await Promise.all(['alice', 'bob', 'carol'].map(name => login(name)));
    const found = await Promise.all(programs.map(p => p.find('watchlist')));
    assert.deepEqual(found.map(ids), [['w1', 'w2', 'w4'], ['w3', 'w4'], ['w4']]);
  });
  await check('no second login beside the first', async () => {
    await fails(client, alice.login(way, 'bob', ['bob']), 'ActiveUserError');
    assert.equal((await alice.active()).username, 'alice');
    await works(alice);
  });

  if (way.denied) await refusals(client, way);

  // Access tokens that expire, a lot of them at the same time.
  const guest = `guest of ${way.name}`;
  const { _id: guestID } = await must('POST', `/user/${kid}`, { username: guest, password: guest });
  await service.change({ tokenTtl: 2, refresh: false });
  const once = await login('bob');
  await check('a service without refresh says null', async () => assert.equal((await kept(once)).refresh_token, 'null'));
  await service.change({ refresh: true });
  const [reader, writer, crowd, suspended, twice] = await Promise.all(['alice', 'bob', 'carol', guest, 'alice'].map(name => login(name)));
  const [before, first] = [await kept(reader), await token(reader)];
  await Promise.all([once, reader, writer, crowd, suspended, twice].map(async p => service.expired(await token(p))));
  await check('a session that has expired is refreshed by the SDK, and the request repeated', async () => {
    await works(reader);
    const after = await kept(reader);
    assert.notEqual(await token(reader), first);
    assert.notEqual(after.access_token, before.access_token);
    assert.notEqual(after.refresh_token, before.refresh_token);
    assert.deepEqual([after.client_id, after.redirect_uri, after.identity], [before.client_id, before.redirect_uri, before.identity]);
    assert.equal((await reader.active()).username, 'alice');
  });
  const second = await token(reader);
  const lost = await service.refresh((await kept(twice)).refresh_token);
  await service.change({ tokenTtl: 3600 });
  await check('what writes is repeated once', async () => {
    const made = await writer.create('written', { way: way.name });
    assert.equal(made._acl.creator, (await writer.active())._id);
    const { count } = await must('GET', `/appdata/${kid}/written/_count?query=${encodeURIComponent(JSON.stringify({ way: way.name }))}`);
    assert.equal(count, 1);
  });
  await check('several requests at once', async () => {
    const found = await Promise.all(Array.from({ length: 5 }, () => crowd.find('watchlist')));
    assert.deepEqual(found.map(ids), Array(5).fill(['w4']));
    assert.equal((await service.session(await token(crowd))).status, 200);
    await works(crowd);
  });
  await check('a refresh whose answer was lost', async () => {
    assert.equal(lost.status, 200);
    await service.expired(await token(twice));
    await works(twice);
  });
  await check('without a refresh token it is over', () => over(once));
  await check('a suspended user is out, and no refresh helps him', async () => {
    await must('DELETE', `/user/${kid}/${guestID}`);
    await over(suspended);
    if (way.denied) await refused(client, way, {}, way.denied, { user: guest });
  });
  await check('restored, he logs in again', async () => {
    await must('POST', `/user/${kid}/${guestID}/_restore`);
    await suspended.login(way, guest, [guest]);
    await works(suspended);
  });
  await check('a session that has expired once more', async () => {
    await service.expired(second);
    await works(reader);
    assert.notEqual(await token(reader), second);
  });
  await check('revoked, it is over at once', async () => {
    const p = await login('alice');
    assert.equal((await service.revoke((await kept(p)).refresh_token)).status, 200);
    assert.equal((await service.session(await token(p))).status, 401);
    await over(p);
  });

  // Logout.
  const [ended, left] = [await token(alice), await kept(alice)];
  await check('logout ends the session', async () => {
    await alice.logout();
    assert.equal(await alice.active(), null);
    assert.equal((await service.session(ended)).status, 401);
  });
  await check('the refresh token goes on working after it', async () => {
    const { status, body } = await service.refresh(left.refresh_token);
    assert.equal(status, 200, JSON.stringify(body));
    const opened = await service.openSession(body);
    assert.deepEqual([opened.status, opened.body.username], [200, 'alice']);
    assert.equal((await service.session(opened.body._kmd.authtoken)).status, 200);
  });
  await check('log in again', async () => {
    await alice.login(way, 'alice', ['alice']);
    await works(alice);
    assert.notEqual(await token(alice), ended);
  });
  await check('as somebody else', async () => {
    await alice.logout();
    assert.equal((await alice.login(way, 'bob', ['bob'])).username, 'bob');
    assert.deepEqual(ids(await alice.find('watchlist')), ['w3', 'w4']);
  });
  await check('where the service says so, logout is the end of the refresh token', async () => {
    await service.change({ endMicOnLogout: true });
    const p = await login('carol');
    const { refresh_token: last } = await kept(p);
    await p.logout();
    const { status, body } = await service.refresh(last);
    assert.deepEqual([status, body.error], [400, 'invalid_grant']);
    await service.change({ endMicOnLogout: false });
  });
}

module.exports = { logins };
