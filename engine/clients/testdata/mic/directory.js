'use strict';
// Mobile Identity Connect with users of a directory, by a real OpenID provider: who
// is not known to the app is signed up when he logs in first.

const life = require('../life/lifecycle');
const platform = require('../life/platform');
const provider = require('./provider');
const service = require('./service');

const ofNode = process.env.POSTERN_SDK.startsWith('kinvey-node-sdk');
const { client, ownPage, loginPage } = ofNode ? require('./client-node') : require('./client-js');

const { assert, check, fails, kid, must, run } = life;
const way = ownPage || loginPage;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const ids = entities => entities.map(entity => entity._id).sort();
const users = async () => (await must('GET', `/user/${kid}`)).length;

async function login(name, p = client.program()) {
  await p.login(way, name, [provider.passwords[name]]);
  return p;
}

async function script() {
  await provider.connect();
  await life.setLevel('plans', 'private');
  await must('POST', `/appdata/${kid}/plans`, { _id: 'secret', _acl: { groups: { r: ['acme:admins'] } } });
  const before = await users();
  const token = async p => (await p.active())._kmd.authtoken;
  const works = async p => assert.deepEqual(ids(await p.find('deals')), ['d1']);

  const alice = client.program();
  let id;
  await check('the first login signs up, with what the directory says', async () => {
    await login('alice', alice);
    const user = await alice.active();
    id = user._id;
    assert.match(user.username, uuid);
    assert.deepEqual([user.email, user.fullName], ['alice@example.com', 'Alice']);
    assert.equal(await users(), before + 1);
  });
  await check('the session works', () => works(alice));
  await check('the user is no other of the app', async () =>
    assert.notEqual((await client.program().plain('alice', 'alice'))._id, id));
  await check('the next login is of the same user', async () => {
    assert.equal((await (await login('alice')).active())._id, id);
    assert.equal(await users(), before + 1);
  });
  await check('two at once who are new are two', async () => {
    const [bob, carol] = await Promise.all(['bob', 'carol'].map(name => login(name)));
    assert.deepEqual([(await bob.active()).email, (await carol.active()).fullName], ['bob@example.com', 'Carol Æ.']);
    assert.equal(await users(), before + 3);
  });
  const bob = await login('bob');
  await check('groups of the directory are groups of the app', async () => {
    assert.deepEqual(ids(await alice.find('plans')), ['secret']);
    assert.deepEqual(ids(await bob.find('plans')), []);
  });
  await check('a wrong password there is no login here', async () => {
    const p = client.program();
    await assert.rejects(p.login(way, 'alice', ['alice']));
    assert.equal(await p.active(), null);
  });
  await check('logout, and log in again', async () => {
    await bob.logout();
    await login('bob', bob);
    await works(bob);
  });

  // At a refresh the directory is asked again.
  await service.change({ tokenTtl: 2 });
  const [hers, his, third] = await Promise.all(['alice', 'bob', 'carol'].map(name => login(name)));
  const expired = p => token(p).then(service.expired);
  await provider.tell('groups alice staff');
  await provider.tell('disable bob');
  await Promise.all([hers, his, third].map(expired));
  await check('refreshed, she is what the directory says now', async () => {
    await works(hers);
    assert.equal((await hers.active())._id, id);
    assert.deepEqual(ids(await hers.find('plans')), []);
  });
  await check('who is disabled there is out', async () => {
    await fails(client, his.find('deals'), 'InvalidCredentials');
    assert.equal(await his.active(), null);
    await assert.rejects(login('bob', his));
    assert.equal(await his.active(), null);
  });
  await provider.tell('enable bob');
  await check('enabled again, he is who he was', async () => {
    await login('bob', his);
    await works(his);
    assert.equal((await his.active())._id, (await bob.active())._id);
  });
  await provider.tell('down');
  await check('while the provider is down nothing is refreshed', async () => {
    await fails(client, third.find('deals'), 'InvalidCredentials');
    // To the later SDK that is trouble which passes; the earlier one forgets the session.
    assert.equal(await third.active() === null, ofNode);
    await assert.rejects(login('carol'));
  });
  await provider.tell('up');
  await check('and when it is back all is well', async () => {
    if (ofNode) await login('carol', third);
    await works(third);
  });
  await service.change({ tokenTtl: 3600 });
  if (!ofNode) {
    await check('under an earlier version of the API the SDK signs up by itself', async () => {
      const { _id } = await third.active();
      await must('DELETE', `/user/${kid}/${_id}?hard=true`);
      const asked = platform.requests.length;
      const p = await login('carol', client.program({ apiVersion: 5 }));
      assert.deepEqual(platform.requests.slice(asked).filter(line => line.includes(`/user/${kid}`)), [`POST /user/${kid}/login 404`, `POST /user/${kid} 201`]);
      // It keeps no session of that.
      assert.equal(await p.active(), null);
      await login('carol', p);
      await works(p);
      assert.notEqual((await p.active())._id, _id);
    });
  }
  platform.close();
}

run(() => script().finally(provider.done));
