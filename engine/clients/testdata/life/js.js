'use strict';
// kinvey-js-sdk 7: the core of the SDKs for browsers and phones, on the platform
// of platform.js.

const life = require('./lifecycle');
const platform = require('./platform');

const { assert, check, kid, run } = life;
const now = stream => (stream && stream.toPromise ? stream.toPromise() : stream);

function program(more) {
  const kinvey = platform.load(more);
  const { User } = kinvey;
  const data = user => (user ? user.data : null);
  const query = filter => Object.assign(new kinvey.Query(), filter && { filter });
  return {
    kinvey,
    ping: () => kinvey.ping(),
    signup: async body => data(await User.signup(body)),
    login: async (name, password) => data(await User.login(name, password)),
    logout: () => User.logout(),
    me: async () => data(await User.me()),
    update: async fields => data(await User.update(fields)),
    active: async () => data(await User.getActiveUser()),
    exists: name => User.exists(name),
    reset: name => User.resetPassword(name),
    verify: name => User.verifyEmail(name),
    forgot: email => User.forgotUsername(email),
    lookup: filter => now(User.lookup(query(filter))),
    removeUser: (id, options) => User.remove(id, options),
    invalidateTokens: () => User.invalidateTokens(),
    query: () => query(),
    raw: filter => query(filter),
    store: (name) => {
      const store = kinvey.DataStore.collection(name, kinvey.DataStoreType.Network);
      return {
        create: entity => now(store.create(entity)),
        createMany: list => now(store.create(list)),
        save: entity => now(store.update(entity)),
        get: id => now(store.findById(id)),
        find: q => now(store.find(q)),
        count: q => now(store.count(q)),
        remove: id => now(store.removeById(id)),
        clean: q => now(store.remove(q)),
        group: aggregation => now(store.group(aggregation)),
      };
    },
  };
}

const client = {
  program,
  signedIn: async (name, password) => {
    const p = program();
    p.id = (await p.login(name, password))._id;
    return p;
  },
  errorName: error => error.name,
  errorText: error => error.message,
  signupIsSession: false,
  keepsAnswerOfUpdate: true,
  removesAsMaster: true,
  pathID: id => encodeURIComponent(id),
  page: (query, more) => Object.assign(query, more),
  rawQuery: (p, filter) => p.raw(filter),
  aggregations: ({ kinvey }) => {
    const made = name => (field, query) => {
      const aggregation = kinvey.Aggregation[name](field);
      if (query) aggregation.query = query;
      return aggregation;
    };
    return {
      wants: {},
      as: { count: 'count', sum: 'sum', min: 'min', max: 'max', average: 'average' },
      count: made('count'), sum: made('sum'), min: made('min'), max: made('max'), average: made('average'),
    };
  },
};

run(async () => {
  await life.users(client);
  await life.entities(client);
  await life.permissions(client);
  const alice = await client.signedIn('alice', 'alice');
  const { DataStore, DataStoreType, Query, CustomEndpoint } = alice.kinvey;
  await check('a Sync store keeps a copy, and pushes what was done to it', async () => {
    const [live, copy] = [alice.store('notes'), DataStore.collection('notes', DataStoreType.Sync)];
    await live.save({ _id: 'n1', text: 'one' });
    assert.equal(await copy.pull(), 1);
    await copy.save({ _id: 'n1', text: 'changed' });
    const made = await copy.create({ text: 'two' });
    await copy.removeById('n1');
    assert.equal(await copy.pendingSyncCount(), 2);
    const pushed = await copy.push();
    assert.equal(pushed.filter(result => result.error).length, 0, JSON.stringify(pushed));
    const found = await live.find(new Query());
    assert.deepEqual(found.map(entity => entity.text), ['two']);
    assert.notEqual(found[0]._id, made._id, 'the id is the server\'s');
  });
  await check('an Auto store answers from the server', async () => {
    const auto = DataStore.collection('notes', DataStoreType.Auto);
    assert.deepEqual((await now(auto.find())).map(entity => entity.text), ['two']);
    const made = await auto.create({ text: 'three' });
    assert.equal((await alice.store('notes').get(made._id)).text, 'three');
  });
  await check('a Sync store with pages takes all', async () => {
    const copy = DataStore.collection('notes', DataStoreType.Sync, { useAutoPagination: true });
    assert.equal(await copy.pull(undefined, { autoPagination: { pageSize: 1 } }), 2);
  });
  await check('delta set that is not switched on falls back to all', async () => {
    const copy = DataStore.collection('notes', DataStoreType.Sync, { useDeltaSet: true });
    assert.equal(await copy.pull(), 2);
    assert.equal(await copy.pull(), 2);
  });
  { // delta set
    await life.must('PUT', `/v4/environments/${kid}/collections/news`, { permissions: 'private', deltaSet: { enabled: true, deletedTTLInDays: 15 } });
    const [live, copy] = [alice.store('news'), DataStore.collection('news', DataStoreType.Sync, { useDeltaSet: true })];
    const kept = async () => life.ids(await now(copy.find())).sort();
    await check('the first pull takes all, the next ones what has changed', async () => {
      for (const _id of ['a', 'b', 'c']) await live.save({ _id });
      assert.equal(await copy.pull(), 3);
      assert.equal(await copy.pull(), 0);
      await live.save({ _id: 'b', n: 1 });
      await live.remove('c');
      assert.equal(await copy.pull(), 1);
      assert.deepEqual(await kept(), ['a', 'b']);
    });
    await check('what another user hides is gone', async () => {
      const bob = await client.signedIn('bob', 'bob');
      await bob.store('news').save({ _id: 'd', _acl: { r: [alice.id] } });
      await copy.pull();
      assert.deepEqual(await kept(), ['a', 'b', 'd']);
      await bob.store('news').save({ _id: 'd', _acl: {} });
      await copy.pull();
      assert.deepEqual(await kept(), ['a', 'b']);
    });
    await check('with a filter', async () => {
      const filtered = DataStore.collection('news', DataStoreType.Sync, { useDeltaSet: true, tag: 'filtered' });
      const query = new Query().equalTo('n', 1);
      assert.equal(await filtered.pull(query), 1);
      await live.save({ _id: 'b', n: 2 });
      await filtered.pull(query);
      assert.deepEqual(life.ids(await now(filtered.find(query))), []);
    });
    await check('a change of the level has it take all again', async () => {
      await life.setLevel('news', 'shared');
      await copy.pull();
      assert.deepEqual(await kept(), ['a', 'b', 'd']);
      await life.setLevel('news', 'private');
      await copy.pull();
      assert.deepEqual(await kept(), ['a', 'b']);
    });
  }
  await check('a push of many', async () => {
    const copy = DataStore.collection('pushed', DataStoreType.Sync);
    await copy.create(Array.from({ length: 130 }, (_, n) => ({ n })));
    const pushed = await copy.push();
    assert.equal(pushed.filter(result => result.error).length, 0, JSON.stringify(pushed.slice(0, 2)));
    assert.equal(await alice.store('pushed').count(new Query()), 130);
  });
  await check('a custom endpoint that is not there', () =>
    life.fails(client, CustomEndpoint.execute('none', { a: 1 }), 'NotFound', 'EndpointDoesNotExist', 'FeatureUnavailable'));
  await check('all requests went to the hosts that the SDK makes', async () => assert.deepEqual([...platform.hosts], [`${platform.instanceId}-baas.kinvey.com`]));
  platform.close();
});
