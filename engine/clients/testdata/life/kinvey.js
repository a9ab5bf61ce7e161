'use strict';
// kinvey 1.7.0, the SDK of 2012 to 2017. It refuses to be initialised with a host
// that is not https, ends every path with a slash and puts a random parameter on
// every request.

const life = require('./lifecycle');

const { assert, check, kid, run } = life;

// now makes a promise of the SDK's a promise of node's.
const now = promise => new Promise((resolve, reject) => { promise.then(resolve, reject); });

async function load(more) {
  life.unload();
  const kinvey = require('kinvey');
  kinvey.Log.disableAll();
  await now(kinvey.init(Object.assign({ appKey: kid, appSecret: life.appSecret, apiHostName: life.url, micHostName: life.url }, more)));
  return kinvey;
}

// program begins at once, and waits for the SDK in the first call.
function program(more) {
  const loading = load(more);
  // Another program may not load the package before this one has.
  return adapt(loading);
}

function adapt(loading) {
  const call = act => async (...args) => now(act(await loading, ...args));
  // Queries are of this instance's class, which is there before it is initialised.
  const Query = require('kinvey').Query;
  const { Group } = require('kinvey');
  const query = filter => new Query(filter && { filter });
  return {
    Group,
    call,
    kinvey: loading,
    ping: call(kinvey => kinvey.ping()),
    signup: call((kinvey, body) => kinvey.User.signup(body)),
    login: call((kinvey, name, password) => kinvey.User.login(name, password)),
    logout: call(kinvey => kinvey.User.logout()),
    me: call(kinvey => kinvey.User.me()),
    update: call((kinvey, fields) => kinvey.User.update(Object.assign({}, kinvey.getActiveUser(), fields))),
    active: async () => (await loading).getActiveUser(),
    exists: call((kinvey, name) => kinvey.User.exists(name)),
    reset: call((kinvey, name) => kinvey.User.resetPassword(name)),
    verify: call((kinvey, name) => kinvey.User.verifyEmail(name)),
    forgot: call((kinvey, email) => kinvey.User.forgotUsername(email)),
    lookup: call((kinvey, filter) => kinvey.User.find(query(filter), { discover: true })),
    findUsers: call((kinvey, filter) => kinvey.User.find(query(filter))),
    countUsers: call((kinvey, filter) => kinvey.User.count(query(filter))),
    getUser: call((kinvey, id) => kinvey.User.get(id)),
    removeUser: call((kinvey, id, options) => kinvey.User.destroy(id, options)),
    restoreUser: call((kinvey, id) => kinvey.User.restore(id)),
    query: () => query(),
    raw: filter => query(filter),
    store: name => ({
      create: call((kinvey, entity) => kinvey.DataStore.save(name, entity)),
      save: call((kinvey, entity) => kinvey.DataStore.update(name, entity)),
      get: call((kinvey, id) => kinvey.DataStore.get(name, id)),
      find: call((kinvey, q) => kinvey.DataStore.find(name, q)),
      count: call((kinvey, q) => kinvey.DataStore.count(name, q)),
      remove: call((kinvey, id) => kinvey.DataStore.destroy(name, id)),
      clean: call((kinvey, q) => kinvey.DataStore.clean(name, q)),
      group: call((kinvey, aggregation) => kinvey.DataStore.group(name, aggregation)),
    }),
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
  errorText: error => error.description,
  exactNames: true,
  signupIsSession: true,
  keepsAnswerOfUpdate: true,
  noTextID: ['EntityNotFound', 'InvalidIdentifier'],
  pathID: id => id,
  page: (query, more) => {
    for (const [name, value] of Object.entries(more)) query[name](value);
    return query;
  },
  rawQuery: (p, filter) => p.raw(filter),
  aggregations: ({ Group }) => {
    const made = name => (field, query) => {
      const aggregation = Group[name](field);
      if (query) aggregation.query(query);
      return aggregation;
    };
    return {
      wants: {},
      as: { count: 'result', sum: 'result', min: 'result', max: 'result', average: 'result' },
      count: made('count'), sum: made('sum'), min: made('min'), max: made('max'), average: made('average'),
    };
  },
};

run(async () => {
  await check('http is refused by the SDK', async () => {
    await assert.rejects(load({ apiHostName: 'http://127.0.0.1:1' }), /requires https/);
  });
  await life.users(client);
  await life.entities(client);
  await life.permissions(client);
  const alice = await client.signedIn('alice', 'alice');
  const kinvey = await alice.kinvey;
  const { DataStore } = kinvey;
  await check('a stored session is restored with _me', async () => {
    const again = await load();
    again.setActiveUser(Object.assign({}, kinvey.getActiveUser()));
    const me = await now(again.User.me());
    assert.equal(me.username, 'alice');
    assert.equal(typeof me._kmd.authtoken, 'string');
  });
  await check('a request without a silent option says that there is nothing', async () => {
    await life.fails(client, now(DataStore.destroy('notes', 'none')), 'EntityNotFound');
    assert.deepEqual(await now(DataStore.destroy('notes', 'none', { silent: true })), { count: 0 });
  });
  await check('versions, properties and the flag for business logic are tolerated', async () => {
    kinvey.ClientAppVersion.setVersion('1.2.3');
    kinvey.CustomRequestProperties.setProperty('tint', 'blue');
    assert.deepEqual(await now(DataStore.find('notes', undefined, { timeout: 10000 })), []);
    const root = await load({ masterSecret: life.masterSecret }); // without it the SDK skips nothing
    assert.deepEqual(await now(root.DataStore.find('notes', undefined, { skipBL: true })), []);
  });
  await check('a custom endpoint that is not there', () => life.fails(client, now(kinvey.execute('none', { a: 1 })), 'EndpointDoesNotExist', 'FeatureUnavailable'));
  // Answers with headers in the body.
  await check('a traced answer', async () => {
    const made = await now(DataStore.save('notes', { text: 'x' }, { trace: true }));
    assert.equal(made.text, 'x');
    assert.equal((await now(DataStore.find('notes', undefined, { trace: true }))).length, 1);
    assert.deepEqual(await now(DataStore.destroy('notes', made._id, { trace: true })), { count: 1 });
  });
  await check('a traced error has the id of its request', async () => {
    const error = await life.fails(client, now(DataStore.get('notes', 'none', { trace: true })), 'EntityNotFound');
    assert.match(error.requestId, /\S{8,}/);
  });
  await check('a traced answer without a body', async () => {
    const p = await client.signedIn('carol', 'carol');
    await now((await p.kinvey).User.resetPassword('carol', { trace: true }));
  });
  // References.
  await check('a reference is saved, and comes back resolved', async () => {
    await now(DataStore.save('authors', { _id: 'ada', name: 'Ada' }));
    await now(DataStore.save('books', { _id: 'b1', author: { _id: 'ada', name: 'Ada' } }, { relations: { author: 'authors' } }));
    const bare = await life.must('GET', `/appdata/${kid}/books/b1`);
    assert.deepEqual(bare.author, { _type: 'KinveyRef', _collection: 'authors', _id: 'ada' });
    const book = await now(DataStore.get('books', 'b1', { relations: { author: 'authors' } }));
    assert.equal(book.author.name, 'Ada');
    const [found] = await now(DataStore.find('books', undefined, { relations: { author: 'authors' } }));
    assert.equal(found.author.name, 'Ada');
  });
  await check('what cannot be read is not resolved', async () => {
    await life.setLevel('secrets', 'private');
    const bob = await client.signedIn('bob', 'bob');
    await bob.store('secrets').save({ _id: 's1', text: 'hidden' });
    await now(DataStore.update('books', { _id: 'b2', author: { _type: 'KinveyRef', _collection: 'secrets', _id: 's1' } }));
    const book = await now(DataStore.get('books', 'b2', { relations: { author: 'secrets' } }));
    assert.equal(JSON.stringify(book).includes('hidden'), false);
  });
});
