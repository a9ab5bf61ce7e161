'use strict';
// A page whose users are those of a directory: the SDK's window goes on to the pages
// of a real OpenID provider, and comes back.

const life = require('../life/lifecycle');
const provider = require('../mic/provider');
const { inChromium, open } = require('./app');

const { assert, check, kid, run } = life;

// sign is a login on the provider's pages.
async function sign(p, name) {
  const popup = await p.press();
  const closed = popup.waitForEvent('close');
  await popup.waitForURL(at => at.origin === process.env.POSTERN_ISSUER);
  await popup.locator('input[name=username]').fill(name);
  await popup.locator('input[name=password]').fill(provider.passwords[name]);
  await popup.getByRole('button', { name: 'Log in' }).click();
  await popup.getByRole('button', { name: 'Allow' }).click();
  await closed;
  return p.outcome();
}

run(() => inChromium(async (browser, at) => {
  await provider.connect();
  const chromium = await browser(process.env.HOME);
  const p = await open(chromium, at);
  const asked = from => p.seen.answers.slice(from).filter(line => /^(POST|PUT) .*\/(oauth\/token|user)/.test(line));
  let user;

  await check('the first login: not found, signed up, logged in', async () => {
    const name = await sign(p, 'alice');
    user = await p.user();
    assert.equal(user.username, name);
    assert.deepEqual([user.email, user.fullName], ['alice@example.com', 'Alice']);
    assert.deepEqual(asked(0), [
      'POST /oauth/token 200', `POST /user/${kid}/login 404`, `POST /user/${kid} 201`, `PUT /user/${kid}/${user._id} 200`,
    ]);
  });
  await check('the page reads', async () => assert.equal((await p.find('deals')).value.length, 1));
  await check('the session outlives a new load of the page', async () => {
    await p.page.reload();
    assert.equal((await p.user())._id, user._id);
    assert.equal((await p.find('deals')).value.length, 1);
  });
  await check('logout here is none there: the next login asks for nothing but leave', async () => {
    await p.logout();
    const from = p.seen.answers.length;
    const popup = await p.press();
    const closed = popup.waitForEvent('close');
    await popup.getByRole('button', { name: 'Allow' }).click();
    await closed;
    assert.equal(await p.outcome(), user.username);
    assert.deepEqual(asked(from), ['POST /oauth/token 200', `POST /user/${kid}/login 200`]);
  });
  await check('who says no at the provider is told so as an error of the app', async () => {
    await p.logout();
    const popup = await p.press();
    const closed = popup.waitForEvent('close');
    await popup.getByRole('button', { name: 'Deny' }).click();
    await closed;
    assert.match(await p.outcome(), /^failed: access_denied/);
    assert.equal(await p.user(), null);
  });
  await check('another person at another browser', async () => {
    const q = await open(chromium, at);
    await sign(q, 'bob');
    assert.equal((await q.user()).email, 'bob@example.com');
    assert.notEqual((await q.user())._id, user._id);
    await q.context.close();
  });
  await check('nothing was wrong in the eyes of the browser', async () =>
    // The first login is a 404, which browsers note.
    assert.deepEqual(p.seen.problems.filter(text => !/status of 404/.test(text)), []));
  await check('while the provider is down the window shows nothing, and is closed', async () => {
    await provider.tell('down');
    const popup = await p.press();
    await popup.waitForURL(/^chrome-error:/);
    await popup.close();
    assert.match(await p.outcome(), /^failed: .*cancelled/);
    await provider.tell('up');
  });
  await check('and when it is back all is well', async () => {
    const popup = await p.press();
    const closed = popup.waitForEvent('close');
    await popup.getByRole('button', { name: 'Allow' }).click();
    await closed;
    assert.equal(await p.outcome(), user.username);
  });
}).finally(provider.done));
