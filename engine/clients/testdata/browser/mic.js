'use strict';
// Mobile Identity Connect in Chromium: the page of an app loads an SDK for browsers,
// the SDK opens a window on the server's login page, a person types, the window
// closes by itself, and the page's SDK has a session.

const fs = require('node:fs');
const path = require('node:path');
const life = require('../life/lifecycle');
const service = require('../mic/service');
const { inChromium, logIn, micOrigin, open, tls, type } = require('./app');

const { assert, check, kid, run, url } = life;
const ids = entities => entities.map(entity => entity._id).sort();

run(() => inChromium(async (browser, at) => {
  const p = await open(await browser(process.env.HOME), at);

  await check('nobody is logged in', async () => assert.equal(await p.user(), null));
  let popup;
  await check('the SDK opens a window on the login page', async () => {
    popup = await p.press();
    await popup.getByLabel('Username').waitFor();
    const { origin, pathname, searchParams } = new URL(popup.url());
    assert.deepEqual([origin, pathname, searchParams.get('client_id'), searchParams.get('redirect_uri')], [micOrigin, '/v3/oauth/auth', kid, `${at}callback`]);
    assert.match(await popup.title(), /Postern Dev/);
  });
  await check('a wrong password is said in plain words, and no code is given', async () => {
    await type(popup, 'alice', 'wrong');
    assert.match(await popup.getByRole('alert').textContent(), /Wrong username or password/);
    assert.equal(await popup.getByLabel('Username').inputValue(), 'alice');
    assert.equal(await p.user(), null);
  });
  await check('then the right one, and the window closes by itself', async () => {
    const closed = popup.waitForEvent('close');
    await type(popup, 'alice', 'alice');
    await closed;
    assert.equal(await p.outcome(), 'alice');
  });
  await check('the page reads what its user may', async () => {
    const { value, error } = await p.find('watchlist');
    assert.deepEqual([error, ids(value || [])], [undefined, ['w1', 'w2', 'w4']]);
  });
  await check('the session outlives a new load of the page', async () => {
    await p.page.reload();
    assert.equal((await p.user()).username, 'alice');
    assert.deepEqual(ids((await p.find('deals')).value), ['d1']);
  });
  await check('logout', async () => {
    const { _kmd: { authtoken } } = await p.user();
    await p.logout();
    assert.equal(await p.user(), null);
    assert.equal((await service.session(authtoken)).status, 401);
  });
  await check('log in as somebody else', async () => {
    assert.equal(await logIn(p, 'bob'), 'bob');
    assert.deepEqual(ids((await p.find('watchlist')).value), ['w3', 'w4']);
    await p.logout();
  });
  await check('a window that is closed is a login that was cancelled', async () => {
    const opened = await p.press();
    await opened.getByLabel('Username').waitFor();
    await opened.close();
    assert.match(await p.outcome(), /^failed: .*cancelled/);
    assert.equal(await p.user(), null);
  });
  await check('nothing was wrong in the eyes of the browser', async () => {
    // A wrong password is a 401, which browsers note.
    assert.deepEqual(p.seen.problems.filter(text => !/status of 401/.test(text)), []);
    assert(p.seen.problems.length <= 1, p.seen.problems.join('\n'));
  });
  await check('it asked nobody but the app and the server', async () => {
    const asked = [...new Set(p.seen.requests.map(line => new URL(line.split(' ')[1]).origin).filter(origin => origin !== 'null'))];
    const own = tls ? ['https://acme-auth.kinvey.com', 'https://acme-baas.kinvey.com'] : [url];
    assert.deepEqual(asked.sort(), [at.slice(0, -1), ...own].sort());
  });

  await service.change({ tokenTtl: 2 });
  await check('a session that has expired is refreshed, and the request repeated', async () => {
    assert.equal(await logIn(p, 'carol'), 'carol');
    const before = (await p.user())._kmd.authtoken;
    await service.expired(before);
    const from = p.seen.requests.length;
    assert.deepEqual(ids((await p.find('watchlist')).value), ['w4']);
    assert.notEqual((await p.user())._kmd.authtoken, before);
    const posted = p.seen.requests.slice(from).filter(line => line.startsWith('POST ')).map(line => new URL(line.slice(5)).pathname);
    assert.deepEqual(posted, ['/oauth/token', `/user/${kid}/login`]);
  });
  await check('and over when it is revoked', async () => {
    await service.revoke((await p.user())._socialIdentity.kinveyAuth.refresh_token);
    assert.equal((await p.find('watchlist')).error, 'InvalidCredentialsError');
    assert.equal(await p.user(), null);
  });
  await service.change({ tokenTtl: 3600 });

  await check('a service that demands PKCE tells the page so', async () => {
    await service.change({ requirePkce: true });
    const opened = await p.press();
    if (!opened.isClosed()) await opened.waitForEvent('close');
    assert.match(await p.outcome(), /^failed: invalid_request/);
    await service.change({ requirePkce: false });
  });
  await check('pages of an origin that is not named get no session', async () => {
    await service.manage('PUT', `/v4/environments/${kid}`, { corsOrigins: ['https://app.example.com'] });
    assert.match(await logIn(p, 'alice'), /^failed: /);
    assert.equal(await p.user(), null);
    assert(p.seen.problems.some(text => /blocked by CORS policy/.test(text)), p.seen.problems.join('\n'));
    await service.manage('PUT', `/v4/environments/${kid}`, { corsOrigins: ['localhost'] });
  });

  if (tls) {
    await check('without the authority the browser does not believe the server', async () => {
      const q = await open(await browser(fs.mkdtempSync(path.join(process.cwd(), 'stranger-'))), at);
      const opened = await q.press();
      await opened.waitForURL(/chrome-error/);
      assert(q.seen.requests.some(line => line.includes(`${micOrigin}/v3/oauth/auth`)));
    });
  }
}));
