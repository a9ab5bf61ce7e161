'use strict';
// Mobile Identity Connect: loginWithMIC by the flow that needs no browser, a
// refresh that the SDK makes by itself, and logout. The service is that of the
// development server, whose users are its own.

const {
  assert, check, network, rejects, run, sdk,
} = require('./harness');

const base = process.env.POSTERN_URL;
const redirect = 'http://localhost:9876/callback';
const works = kinvey => network(kinvey, 'deals').find().toPromise();
const session = kinvey => kinvey.User.getActiveUser().authtoken;

async function request(method, path, headers, body) {
  const answer = await fetch(base + path, { method, headers: Object.assign({ 'Content-Type': 'application/json' }, headers), body: body && JSON.stringify(body) });
  const text = await answer.text();
  return { status: answer.status, body: text ? JSON.parse(text) : null };
}

// raw is a request with a session that no SDK repairs.
const raw = token => request('GET', '/appdata/kid_dev/deals', { Authorization: `Kinvey ${token}` });

// shorten makes the access tokens of the service live for so many seconds.
async function shorten(seconds) {
  const { body: { token } } = await request('POST', '/v4/session', {}, { email: 'dev@localhost', password: 'dev' });
  const headers = { Authorization: `Kinvey ${token}` };
  const { body: [service] } = await request('GET', '/v4/auth-services', headers);
  const { status, body } = await request('PUT', `/v4/auth-services/${service.id}`, headers, Object.assign({}, service, { tokenTtl: seconds }));
  assert.equal(status, 200, JSON.stringify(body));
  return service.id;
}

async function login(kinvey, name, more) {
  await kinvey.User.loginWithMIC(redirect, kinvey.AuthorizationGrant.AuthorizationCodeAPI, Object.assign({ username: name, password: name }, more));
  return kinvey.User.getActiveUser();
}

run(async () => {
  const alice = sdk();
  await check('login by name and password', async () => {
    const user = await login(alice, 'alice');
    assert.equal(user.username, 'alice');
    assert.equal(typeof user.authtoken, 'string');
  });
  await check('the session works', () => works(alice));
  await check('the user is the one of the app', async () => {
    const other = sdk();
    const user = await other.User.login('alice', 'alice');
    assert.equal(user._id, alice.User.getActiveUser()._id);
  });
  for (const version of [1, 2, 3, 'v3']) {
    await check(`login by version ${version} of the interface`, async () => {
      const kinvey = sdk();
      await login(kinvey, 'bob', { version });
      await works(kinvey);
    });
  }
  await check('a wrong password is refused', async () => {
    const kinvey = sdk();
    await rejects(kinvey.User.loginWithMIC(redirect, kinvey.AuthorizationGrant.AuthorizationCodeAPI, { username: 'alice', password: 'wrong' }), Error);
    assert.equal(kinvey.User.getActiveUser(), null);
  });
  await check('a redirect URI that is not registered is refused', async () => {
    const kinvey = sdk();
    await rejects(kinvey.User.loginWithMIC('http://evil.example/', kinvey.AuthorizationGrant.AuthorizationCodeAPI, { username: 'alice', password: 'alice' }), Error);
    assert.equal(kinvey.User.getActiveUser(), null);
  });

  const service = await shorten(1);
  await check('login by the id of the service', async () => {
    const kinvey = sdk();
    await login(kinvey, 'carol', { micId: service });
    await works(kinvey);
  });
  const carol = sdk();
  await check('a token that expires is refreshed by the SDK, and the request repeated', async () => {
    await login(carol, 'carol');
    const before = session(carol);
    // Until it has expired: the server's clock says when.
    while ((await raw(before)).status === 200);
    assert.equal((await raw(before)).body.error, 'InvalidCredentials');
    await works(carol);
    assert.equal(carol.User.getActiveUser().username, 'carol');
    assert.notEqual(session(carol), before);
  });
  await check('and once more', async () => {
    const before = session(carol);
    while ((await raw(before)).status === 200);
    await works(carol);
  });
  await shorten(3600);
  await check('logout ends the session', async () => {
    const token = session(alice);
    await alice.User.logout();
    assert.equal(alice.User.getActiveUser(), null);
    assert.equal((await raw(token)).status, 401);
  });
  await check('and a login makes a new one', async () => {
    await login(alice, 'alice');
    await works(alice);
  });
});
