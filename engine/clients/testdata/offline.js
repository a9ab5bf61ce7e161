'use strict';
// The stores of the SDK that keep a copy: what they read and write in the background.

const {
  assert, check, denied, ids, master, network, run, setLevel, signedIn,
} = require('./harness');

run(async () => {
  const alice = await signedIn('alice');
  const bob = await signedIn('bob');
  const remote = network(alice, 'papers');
  await setLevel(master(), 'papers', 'private');
  await remote.create({ _id: 'p1', n: 1 });

  const cache = alice.DataStore.collection('papers', alice.DataStoreType.Cache);
  await check('a cache store answers from its copy, then from the server', async () => {
    const seen = [];
    await new Promise((resolve, reject) => cache.find().subscribe(found => seen.push(ids(found)), reject, resolve));
    assert.deepEqual(seen, [[], ['p1']]);
  });
  await check('a cache store creates on the server', async () => {
    const made = await cache.save({ n: 2 });
    assert.equal((await remote.findById(made._id).toPromise()).n, 2);
    await cache.save(Object.assign(made, { n: 3 }));
    assert.equal((await remote.findById(made._id).toPromise()).n, 3);
    assert.deepEqual(await cache.removeById(made._id), { count: 1 });
    assert.equal(await remote.count().toPromise(), 1);
  });
  await check('a cache store of another user holds nothing that is not his', async () => {
    const his = bob.DataStore.collection('papers', bob.DataStoreType.Cache);
    assert.deepEqual(await his.find().toPromise(), []);
    assert.equal(await his.count().toPromise(), 0);
  });

  const sync = alice.DataStore.collection('letters', alice.DataStoreType.Sync);
  const letters = network(alice, 'letters');
  await check('a sync store sends nothing before it is told', async () => {
    await sync.save({ n: 1 });
    await sync.save({ _id: 'l2', n: 2 });
    assert.equal(await sync.pendingSyncCount(), 2);
    assert.equal(await letters.count().toPromise(), 0);
  });
  await check('push creates, with an id of the server where there was none', async () => {
    const pushed = await sync.push();
    assert.deepEqual(pushed.map(result => result.error), [undefined, undefined]);
    assert.equal(await sync.pendingSyncCount(), 0);
    const found = await letters.find().toPromise();
    assert.deepEqual(found.map(entity => entity.n).sort(), [1, 2]);
    assert(found.every(entity => !('local' in entity._kmd) && entity._acl.creator === alice.id));
  });
  await check('pull fetches what others wrote', async () => {
    await network(bob, 'letters').create({ _id: 'l3', n: 3 });
    assert.equal(await sync.pull(), 3);
    assert.equal((await sync.find().toPromise()).length, 3);
  });
  await check('sync updates and removes', async () => {
    await sync.save({ _id: 'l2', n: 20 });
    const [first] = await letters.find(new alice.Query().equalTo('n', 1)).toPromise();
    await sync.removeById(first._id);
    const result = await sync.sync();
    assert.deepEqual(result.push.map(entry => entry.error), [undefined, undefined]);
    assert.deepEqual((await letters.find().toPromise()).map(entity => entity.n).sort(), [20, 3]);
  });
  await check('push of a change that is not allowed reports it and keeps it pending', async () => {
    await sync.save({ _id: 'l3', n: 30 });
    const [result] = await sync.push();
    await denied(alice, Promise.reject(result.error));
    assert.equal(await sync.pendingSyncCount(), 1);
    assert.equal((await letters.findById('l3').toPromise()).n, 3);
    await sync.clearSync();
  });
  await check('pull page by page', async () => {
    for (const n of [4, 5, 6]) await letters.create({ _id: `l${n}`, n });
    assert.equal(await sync.pull(undefined, { autoPagination: { pageSize: 2 } }), 5);
    assert.equal((await sync.find().toPromise()).length, 5);
  });
  await check('a store with delta sets falls back to whole answers', async () => {
    const delta = alice.DataStore.collection('letters', alice.DataStoreType.Sync, { useDeltaSet: true });
    await delta.pull();
    await network(bob, 'letters').create({ _id: 'l7', n: 7 });
    await delta.pull();
    assert.deepEqual((await delta.find().toPromise()).map(entity => entity.n).sort(), [20, 3, 4, 5, 6, 7]);
  });
});
