'use strict';
// Nobody is there any more. The server of this script ends a session after seconds.

const { assert, ask, check, inBrowser, kid, open, origin, owner, signIn, visitor } = require('./console');

inBrowser(async (browser) => {
  const { context, page: p, seen } = await visitor(browser);
  await signIn(p);
  await open(p, `#/${kid}/activity`); // a page that asks by itself, again and again
  const [cookie] = await context.cookies(origin);
  const question = p.getByRole('dialog', { name: 'Are you still there?' });

  await check('who does nothing is asked whether he is there', () => question.waitFor());
  await check('who says so stays signed in', async () => {
    const alive = p.waitForResponse(r => r.url().endsWith('/session') && r.request().headers()['x-postern-idle'] === undefined);
    await p.getByRole('button', { name: 'Stay signed in' }).click();
    assert.equal((await alive).status(), 200);
    await question.waitFor({ state: 'detached' });
    assert.equal((await ask(p, 'GET', 'session')).status, 200);
  });
  seen.none();
  await check('who does not is signed out, however often the page itself has asked', async () => {
    seen.allow(401, /./);
    await p.getByText(/Nobody was here for a while|The session is over/).waitFor({ timeout: 60_000 });
    assert.equal(await p.getByLabel('E-mail address').isVisible(), true);
    assert.equal(await p.getByRole('dialog').count(), 0);
    assert(!(await p.content()).includes(owner.email), 'the page still says who was here');
  });
  await check('the session is over at the server, too', async () => {
    const answer = await fetch(`${origin}/-/console/session`, { headers: { 'X-Postern-Console': '1', Cookie: `${cookie.name}=${cookie.value}` } });
    assert.equal(answer.status, 401);
  });
  await check('signing in again leads to where one was', async () => {
    await p.getByLabel('E-mail address').fill(owner.email);
    await p.getByLabel('Password').fill(owner.password);
    await p.keyboard.press('Enter');
    await p.getByRole('heading', { name: 'Activity', level: 1 }).waitFor();
  });
  await check('no page complained', () => seen.none());
});
