'use strict';
// kinvey-node-sdk, in the versions 3.2.1 and 3.12.5.

const life = require('./lifecycle');

const { assert, check, kid, run } = life;
const now = stream => (stream && stream.toPromise ? stream.toPromise() : stream);
const old = process.env.POSTERN_SDK.endsWith('-3.2.1');

function load(more) {
  life.unload();
  const loaded = require('kinvey-node-sdk');
  const kinvey = loaded.Kinvey || loaded.default || loaded;
  kinvey.init(Object.assign({ appKey: kid, appSecret: life.appSecret, apiHostname: life.url, micHostname: life.url }, more));
  kinvey.Log.disableAll();
  return kinvey;
}

function program(more) {
  const kinvey = load(more);
  const { User } = kinvey;
  const data = user => user && user.data;
  const query = filter => Object.assign(new kinvey.Query(), filter && { filter });
  const p = {
    kinvey,
    ping: () => kinvey.ping(),
    signup: async body => data(await User.signup(body)),
    login: async (name, password) => {
      const user = await User.login(name, password);
      const answer = data(user);
      // 3.2.1 looks for a social identity on every 401 and trips over a record
      // that has none. Its session keeps what an update was given.
      if (old) await user.update({ _socialIdentity: {} }, {});
      return answer;
    },
    logout: () => User.logout({}),
    me: async () => data(await User.me({})),
    update: async fields => data(await User.update(fields, {})),
    active: async () => data(User.getActiveUser()),
    exists: name => User.exists(name),
    reset: name => User.resetPassword(name),
    verify: name => User.verifyEmail(name),
    forgot: email => User.forgotUsername(email),
    query: () => query(),
    raw: filter => query(filter),
    store: (name) => {
      const store = kinvey.DataStore.collection(name, kinvey.DataStoreType.Network);
      const s = {
        create: entity => now(store.create(entity)),
        save: entity => now(store.update(entity)),
        get: id => now(store.findById(id)),
        find: q => now(store.find(q)),
        count: q => now(store.count(q)),
        remove: id => now(store.removeById(id)),
        clean: q => now(store.remove(q)),
      };
      if (!old) s.group = aggregation => now(store.group(aggregation));
      return s;
    },
  };
  if (!old) {
    p.lookup = filter => now(User.lookup(query(filter)));
    p.removeUser = (id, options) => User.remove(id, options);
  }
  return p;
}

// 3.2.1 knows few names of errors, and takes every 401 for a denial. It hands on
// the text.
const texts = {
  'Invalid credentials. Please retry your request with correct credentials.': 'InvalidCredentials',
  'The credentials used to authenticate this request are not authorized to run this operation. Please retry your request with appropriate credentials.': 'InsufficientCredentials',
  'This username is already taken. Please retry your request with a different username.': 'UserAlreadyExists',
  'The query string in the request has an invalid syntax.': 'InvalidQuerySyntax',
  'Please use the appropriate API to access this collection for this app backend.': 'IndirectCollectionAccessDisallowed',
  'The value specified for one of the request parameters is out of range.': 'ParameterValueOutOfRange',
  'One of more identifier names in the request has an invalid format.': 'InvalidIdentifier',
};

const client = {
  program,
  signedIn: async (name, password) => {
    const p = program();
    p.id = (await p.login(name, password))._id;
    return p;
  },
  errorName: error => (old && texts[error.message]) || error.name,
  errorText: error => error.message,
  signupIsSession: true,
  keepsAnswerOfUpdate: !old,
  pathID: id => (old ? encodeURIComponent(id) : id),
  page: (query, more) => Object.assign(query, more),
  rawQuery: (p, filter) => p.raw(filter),
  aggregations: ({ kinvey }) => {
    const made = name => (field, query) => {
      const aggregation = kinvey.Aggregation[name](field);
      if (query) aggregation.query = query;
      return aggregation;
    };
    return {
      // Its minimum begins with Infinity, which JSON makes null: in the arithmetic
      // of JavaScript no number above zero is less.
      wants: { min: 0 },
      as: { count: 'count', sum: 'sum', min: 'min', max: 'max', average: 'average' },
      count: made('count'), sum: made('sum'), min: made('min'), max: made('max'), average: made('average'),
    };
  },
};

run(async () => {
  // The scripts beside this one put 3.12.5 through the rest.
  if (old) {
    await life.users(client);
    await life.permissions(client);
  }
  await life.entities(client);
  if (!old) { // delta set
    await life.must('PUT', `/v4/environments/${kid}/collections/news`, { permissions: 'private', deltaSet: { enabled: true, deletedTTLInDays: 15 } });
    const alice = await client.signedIn('alice', 'alice');
    const { DataStore, DataStoreType } = alice.kinvey;
    const [live, copy] = [alice.store('news'), DataStore.collection('news', DataStoreType.Sync, { useDeltaSet: true })];
    await check('the first pull takes all, the next ones what has changed', async () => {
      for (const _id of ['a', 'b', 'c']) await live.save({ _id });
      assert.equal(await copy.pull(), 3);
      assert.equal(await copy.pull(), 0);
      await live.save({ _id: 'b', n: 1 });
      await live.remove('c');
      assert.equal(await copy.pull(), 1);
      assert.deepEqual(life.ids(await now(copy.find())).sort(), ['a', 'b']);
    });
    await check('what another user hides is gone', async () => {
      const bob = await client.signedIn('bob', 'bob');
      await bob.store('news').save({ _id: 'd', _acl: { r: [alice.id] } });
      await copy.pull();
      assert.deepEqual(life.ids(await now(copy.find())).sort(), ['a', 'b', 'd']);
      await bob.store('news').save({ _id: 'd', _acl: {} });
      await copy.pull();
      assert.deepEqual(life.ids(await now(copy.find())).sort(), ['a', 'b']);
    });
  }
  await check('a custom endpoint that is not there', async () => {
    const alice = await client.signedIn('alice', 'alice');
    await life.fails(client, alice.kinvey.CustomEndpoint.execute('none', { a: 1 }), 'NotFound', 'EndpointDoesNotExist', 'FeatureUnavailable');
  });
});
