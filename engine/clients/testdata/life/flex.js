'use strict';
// kinvey-flex-sdk 3.3.0: code that a server of the app's owner runs, with the
// master secret or in the name of the user who called it. The service is started
// and given its tasks over HTTP, as the backend gives them.

const http = require('node:http');
const net = require('node:net');
const life = require('./lifecycle');

const { assert, check, kid, run } = life;
const basic = (name, password) => `Basic ${btoa(`${name}:${password}`)}`;

const freePort = () => new Promise((resolve, reject) => {
  const server = net.createServer();
  server.once('error', reject);
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

const started = options => new Promise((resolve, reject) => {
  require('kinvey-flex-sdk').service(options, (error, service) => (error ? reject(error) : resolve(service)));
});

run(async () => {
  const port = await freePort();
  console.log = () => {}; // the service greets on standard output
  const service = await started({ host: '127.0.0.1', port });
  let given;
  service.functions.register('borrow', (context, complete, modules) => {
    given = modules;
    complete({ user: modules.requestContext.getAuthenticatedUsername() }).ok().done();
  });

  // modules are what a function of the service is called with, in a task of a user.
  const modules = (authorization, username, userID, version) => new Promise((resolve, reject) => {
    const task = http.request({
      host: '127.0.0.1', port, method: 'POST', path: '/_flexFunctions/borrow',
      headers: {
        'Content-Type': 'application/json',
        'X-Kinvey-Environment-Id': kid,
        'X-Kinvey-App-Metadata': JSON.stringify({ _id: kid, appsecret: life.appSecret, mastersecret: life.masterSecret, baasUrl: life.url }),
        'X-Kinvey-Original-Request-Headers': JSON.stringify({ authorization, 'x-kinvey-api-version': version || '5' }),
        'X-Kinvey-Username': username || '', 'X-Kinvey-User-Id': userID || '',
      },
    }, (answer) => {
      answer.resume();
      answer.on('end', () => (answer.statusCode === 200 ? resolve(given) : reject(new Error(`the task ended with ${answer.statusCode}`))));
    });
    task.on('error', reject);
    task.end(JSON.stringify({ response: { headers: { 'x-kinvey-api-version': version || '5' } }, hookType: 'customEndpoint', method: 'POST', body: {} }));
  });

  const root = await modules(basic(kid, life.masterSecret), 'master', kid);
  const stores = (m, context, options) => Object.assign({
    query: () => new m.Query(),
    raw: filter => new m.Query({ filter }),
    store: (name) => {
      const store = m.dataStore(context).collection(name);
      return {
        create: entity => store.save(entity),
        createMany: list => store.save(list),
        save: entity => store.save(entity),
        get: id => store.findById(id),
        find: q => store.find(q),
        count: async q => (await store.count(q)).count,
        remove: id => store.removeById(id),
        clean: q => store.remove(q),
      };
    },
  }, options);
  const people = root.userStore();
  const client = {
    program: () => stores(root, {}),
    signedIn: async (name, password) => {
      const [user] = await people.find(new root.Query().equalTo('username', name));
      const m = await modules(basic(name, password), name, user._id);
      return stores(m, { useUserContext: true }, { id: user._id, modules: m });
    },
    errorName: error => error.message,
    exactNames: true,
    noTextID: ['EntityNotFound', 'InvalidIdentifier'],
    pathID: encodeURIComponent,
    page: (query, more) => Object.assign(query, more),
    rawQuery: (p, filter) => p.raw(filter),
  };

  // Users, by the master.
  let id;
  await check('a user is created', async () => {
    const made = await people.create({ username: 'zoe', password: 'Passw0rd-1', hobby: 'chess' });
    assert.deepEqual([made.username, made.hobby, made._acl.creator], ['zoe', 'chess', made._id]);
    id = made._id;
  });
  await check('a taken name', () => life.fails(client, people.create({ username: 'zoe', password: 'Passw0rd-1' }), 'UserAlreadyExists'));
  await check('a user is found by id and by query', async () => {
    assert.equal((await people.findById(id)).username, 'zoe');
    assert.deepEqual(life.ids(await people.find(new root.Query().equalTo('hobby', 'chess'))), [id]);
    assert.equal((await people.count(new root.Query().equalTo('hobby', 'chess'))).count, 1);
    await life.fails(client, people.findById('none'), 'UserNotFound');
  });
  await check('the current user', async () => {
    const m = await modules(basic('zoe', 'Passw0rd-1'), 'zoe', id);
    const me = await m.userStore({ useUserContext: true }).getCurrentUser();
    assert.deepEqual([me._id, me.hobby], [id, 'chess']);
    assert.equal('password' in me, false);
  });
  await check('a user is updated', async () => {
    const user = await people.findById(id);
    const after = await people.update(Object.assign(user, { hobby: 'go' }));
    assert.equal(after.hobby, 'go');
    assert(after._kmd.lmt > after._kmd.ect);
  });
  await check('in the name of a user it can do what he can', async () => {
    const bob = await client.signedIn('bob', 'bob');
    const his = bob.modules.userStore({ useUserContext: true });
    await life.fails(client, his.update({ _id: id, hobby: 'stolen' }), 'InsufficientCredentials');
    await life.fails(client, his.remove(id), 'InsufficientCredentials');
    assert.equal((await people.findById(id)).hobby, 'go');
  });
  await check('a wrong password of the caller', async () => {
    const m = await modules(basic('zoe', 'wrong'), 'zoe', id);
    await life.fails(client, m.dataStore({ useUserContext: true }).collection('stock').find(), 'InvalidCredentials');
  });
  await check('a suspended user is out', async () => {
    await people.suspend(id);
    const m = await modules(basic('zoe', 'Passw0rd-1'), 'zoe', id);
    await life.fails(client, m.dataStore({ useUserContext: true }).collection('stock').find(), 'InvalidCredentials', 'UserNotFound');
    await life.fails(client, people.create({ username: 'zoe', password: 'Passw0rd-1' }), 'UserAlreadyExists');
  });
  await check('restore', async () => {
    await people.restore(id);
    const m = await modules(basic('zoe', 'Passw0rd-1'), 'zoe', id);
    assert.equal((await m.userStore({ useUserContext: true }).getCurrentUser()).hobby, 'go');
  });
  await check('a removed user is gone', async () => {
    await people.remove(id);
    await life.fails(client, people.findById(id), 'UserNotFound');
    assert.notEqual((await people.create({ username: 'zoe', password: 'Passw0rd-1' }))._id, id);
  });

  // Groups.
  const groups = root.groupStore();
  await check('a group is created, found, changed and removed', async () => {
    const made = await groups.create({ _id: 'flexers', users: { all: false, list: [] } });
    assert.deepEqual([made._id, made.users], ['flexers', { all: false, list: [] }]);
    const list = [{ _type: 'KinveyRef', _collection: 'user', _id: (await client.signedIn('bob', 'bob')).id }];
    assert.deepEqual((await groups.update({ _id: 'flexers', users: { all: false, list } })).users.list, list);
    assert.deepEqual((await groups.findById('flexers')).users.list, list);
    await groups.remove('flexers');
    await life.fails(client, groups.findById('flexers'), 'EntityNotFound');
  });
  await check('a user reads groups, and leaves those of others alone', async () => {
    await groups.create({ _id: 'closed', users: { list: [] } });
    const bob = (await client.signedIn('bob', 'bob')).modules.groupStore({ useUserContext: true });
    assert.equal((await bob.findById('closed'))._id, 'closed');
    await life.fails(client, bob.update({ _id: 'closed', users: { all: true } }), 'InsufficientCredentials');
    await life.fails(client, bob.remove('closed'), 'InsufficientCredentials');
  });

  await life.entities(client);
  await life.permissions(client);
  await check('an entity that the service has made keeps its id and its ACL', async () => {
    const alice = await client.signedIn('alice', 'alice');
    const entity = root.kinveyEntity.entity({ text: 'made here' });
    entity._acl.addReader(alice.id).setGloballyReadable(false);
    const stored = await root.dataStore().collection('made').save(entity);
    assert.equal(stored._id, entity._id);
    assert.deepEqual([stored._acl.creator, stored._acl.r, stored._acl.gr], [kid, [alice.id], false]);
    assert.equal((await alice.store('made').get(entity._id)).text, 'made here');
    const bob = await client.signedIn('bob', 'bob');
    await life.fails(client, bob.store('made').get(entity._id), 'InsufficientCredentials');
  });
  await check('the old way to remove users for good', async () => {
    const first = (await modules(basic(kid, life.masterSecret), 'master', kid, '1')).userStore();
    const made = await first.create({ username: 'short', password: 'Passw0rd-1' });
    await first.suspend(made._id);
    assert.equal((await life.rest('POST', `/rpc/${kid}/check-username-exists`, { username: 'short' })).body.usernameExists, true);
    await first.remove(made._id);
    assert.equal((await life.rest('POST', `/rpc/${kid}/check-username-exists`, { username: 'short' })).body.usernameExists, false);
  });
  // The service serves until the process ends; its way to end it is a signal.
  setImmediate(() => process.kill(process.pid, 'SIGTERM'));
});
