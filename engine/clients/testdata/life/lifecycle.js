'use strict';
// What every client is put through: the life of a user and of an entity, queries,
// groups, levels and ACLs. A script for a client adapts the client's own calls to
// the names that are used here, and runs this with what it has.

const assert = require('node:assert/strict');
const { check, run } = require('../harness');

const kid = 'kid_dev';
const appSecret = 'a0000000000000000000000000000001';
const masterSecret = 'b0000000000000000000000000000002';
const url = process.env.POSTERN_URL;

// rest is a request that no SDK has a call for, by the master unless said otherwise.
async function rest(method, path, body, authorization, more) {
  const answer = await fetch(url + path, {
    method,
    headers: Object.assign({
      Authorization: authorization || `Basic ${btoa(`${kid}:${masterSecret}`)}`,
      'Content-Type': 'application/json',
      'X-Kinvey-Api-Version': '5',
    }, more),
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, body: text === '' ? undefined : JSON.parse(text) };
}

async function must(method, path, body, authorization) {
  const answer = await rest(method, path, body, authorization);
  assert(answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

const setLevel = (collection, permissions) => must('PUT', `/v4/environments/${kid}/collections/${collection}`, { permissions });

const setGroup = (id, users, more) => must('PUT', `/group/${kid}/${id}`, Object.assign({
  _id: id,
  users: { all: false, list: users.map(_id => ({ _type: 'KinveyRef', _collection: 'user', _id })) },
}, more));

// wanted is the one name under which any client reports an error of the server:
// some hang "Error" on it, some do not tell what it is that was not found.
const plainName = name => (/NotFound(Error)?$/.test(name) ? 'NotFound' : name.replace(/Error$/, ''));

async function fails(client, promise, ...names) {
  let value;
  try {
    value = await promise;
  } catch (error) {
    const name = client.errorName(error);
    assert(name, `failed without a name: ${error && error.stack}`);
    assert(names.map(plainName).includes(plainName(name)), `failed with ${name} (${error.message || error.description}, ${JSON.stringify(error.debug)}); want ${names}\n${error.stack}`);
    if (client.exactNames) assert(names.includes(name), `${name}; want ${names}`);
    return error;
  }
  return assert.fail(`succeeded with ${JSON.stringify(value)}; want ${names}`);
}

const ids = entities => entities.map(entity => entity._id);

const stock = [
  { _id: 'apple', kind: 'fruit', price: 3, origin: { farm: 'North', country: 'be' }, tags: ['red', 'sweet'], note: null },
  { _id: 'beet', kind: 'root', price: 2, origin: { country: 'fr' }, tags: ['red'], note: 'earthy' },
  { _id: 'cherry', kind: 'fruit', price: 9.5, origin: { country: 'tr' }, tags: ['red', 'sweet', 'small'], note: 'dark' },
  { _id: 'date', kind: 'fruit', price: 4, origin: { farm: 'South', country: 'dz' }, tags: ['sweet'] },
  { _id: 'endive', kind: 'leaf', price: 2.5, origin: { country: 'be' }, tags: [] },
  { _id: 'fig', kind: 'fruit', note: 'ripe' },
];

// unload has the next require give one more instance of the client, with all that
// it keeps: one instance is one program of one user. local-storage is where some
// keep the session.
function unload() {
  for (const file of Object.keys(require.cache)) {
    if (/\/node_modules\/(kinvey|local-storage)/.test(file)) delete require.cache[file];
  }
}

// users is the life of a user. client.program() is a program of one user.
async function users(client) {
  const password = 'Passw0rd-1';
  const token = data => `Kinvey ${data._kmd.authtoken}`;
  const program = client.program;
  const other = await client.signedIn('alice', 'alice');

  await check('ping says version and name', async () => {
    const answer = await program().ping();
    assert.equal(typeof answer.version, 'string');
    assert.match(answer.kinvey, /hello/i);
    assert.equal(answer.appName, 'Postern Dev');
  });
  await check('ping with the master secret', async () => assert.match((await program({ masterSecret }).ping()).kinvey, /hello/i));
  await check('ping with a session', async () => assert.match((await other.ping()).kinvey, /hello/i));
  await check('a wrong app secret is refused', () => fails(client, program({ appSecret: 'a'.repeat(32) }).ping(), 'InvalidCredentials'));
  await check('an unknown app is not found', () => fails(client, program({ appKey: 'kid_none' }).ping(), 'AppNotFound'));

  const zoe = program();
  let id;
  await check('sign up', async () => {
    const user = await zoe.signup({ username: 'zoe', password, email: 'zoe@example.org', first_name: 'Zoe', hobbies: ['chess'] });
    assert.match(user._id, /^[0-9a-f]{24}$/);
    assert.deepEqual([user.username, user.email, user.first_name, user.hobbies], ['zoe', 'zoe@example.org', 'Zoe', ['chess']]);
    assert.equal(user._acl.creator, user._id);
    assert.equal(user._kmd.ect, user._kmd.lmt);
    id = user._id;
  });
  if (client.signupIsSession) {
    await check('the sign-up is a session', async () => {
      assert.equal(typeof (await zoe.active())._kmd.authtoken, 'string');
      assert.equal((await zoe.me()).username, 'zoe');
      await zoe.logout();
    });
  } else {
    await check('the sign-up is no session', async () => {
      assert.equal(await zoe.active(), null);
      const bare = await rest('POST', `/user/${kid}`, {}, `Basic ${btoa(`${kid}:${appSecret}`)}`, { 'X-Kinvey-Api-Version': '6' });
      assert.equal(bare.status, 201);
      assert.equal('authtoken' in bare.body._kmd, false);
    });
  }
  await check('a name that is taken', () => fails(client, program().signup({ username: 'zoe', password }), 'UserAlreadyExists'));
  await check('sign up with nothing generates name and password', async () => {
    const made = await program().signup();
    assert(made.username && made.password, JSON.stringify(made));
    await client.signedIn(made.username, made.password);
  });
  await check('sign up with a null password generates one', async () => {
    const made = await program().signup({ username: 'nullpass', password: null });
    await client.signedIn('nullpass', made.password);
  });
  await check('the id of a user is the server\'s', async () => {
    const made = await program().signup({ username: 'chooser', password, _id: 'mine' });
    assert.match(made._id, /^[0-9a-f]{24}$/);
  });
  await check('a wrong password', async () => {
    const error = await fails(client, program().login('zoe', 'wrong'), 'InvalidCredentials');
    assert.equal(client.errorText(error), 'Invalid credentials. Please retry your request with correct credentials.');
  });
  await check('an unknown name', () => fails(client, program().login('nobody-here', password), 'InvalidCredentials'));
  await check('log in', async () => {
    const user = await zoe.login('zoe', password);
    assert.equal(user._id, id);
    assert.deepEqual(user.hobbies, ['chess']);
    assert.equal('password' in user, false);
    assert.equal('mfaRequired' in user, false);
    for (const member of ['ect', 'lmt', 'llt', 'authtoken']) assert.equal(typeof user._kmd[member], 'string', member);
  });
  await check('a second session is another token, and logging out of it ends it alone', async () => {
    const second = await client.signedIn('zoe', password);
    const old = await second.active();
    assert.notEqual(old._kmd.authtoken, (await zoe.active())._kmd.authtoken);
    assert.equal((await rest('GET', `/user/${kid}/_me`, undefined, token(old))).status, 200);
    await second.logout();
    assert.equal(await second.active(), null);
    const answer = await rest('GET', `/user/${kid}/_me`, undefined, token(old));
    assert.deepEqual([answer.status, answer.body.error], [401, 'InvalidCredentials']);
    assert.equal((await zoe.me()).username, 'zoe');
  });
  await check('me', async () => {
    const before = (await zoe.active())._kmd.authtoken;
    const me = await zoe.me();
    assert.deepEqual([me._id, me.username, me.hobbies], [id, 'zoe', ['chess']]);
    assert.equal('password' in me, false);
    assert.equal((await zoe.active())._kmd.authtoken, before);
  });
  await check('update stores and keeps the session', async () => {
    await zoe.update({ city: 'Ghent', address: { zip: '9000' } });
    const me = await zoe.me();
    assert.deepEqual([me.city, me.address, me.hobbies, me.email], ['Ghent', { zip: '9000' }, ['chess'], 'zoe@example.org']);
    assert(me._kmd.lmt > me._kmd.ect);
  });
  await check('the token sent back in an update is not stored', async () => {
    const record = await must('GET', `/user/${kid}/${id}`);
    assert.equal('authtoken' in record._kmd, false);
    assert.equal('password' in record, false);
  });
  await check('a taken name refuses the update', async () => {
    await fails(client, zoe.update({ username: 'alice' }), 'UserAlreadyExists');
    const again = await client.signedIn('zoe', password);
    assert.equal((await again.me()).username, 'zoe');
  });
  await check('a new password ends the other sessions', async () => {
    const [changer, elsewhere] = [await client.signedIn('zoe', password), await client.signedIn('zoe', password)];
    const old = await elsewhere.active();
    await changer.update({ password: 'Passw0rd-2' });
    assert.equal((await rest('GET', `/user/${kid}/_me`, undefined, token(old))).body.error, 'InvalidCredentials');
    await fails(client, elsewhere.me(), 'InvalidCredentials');
    await fails(client, program().login('zoe', password), 'InvalidCredentials');
    if (client.keepsAnswerOfUpdate) assert.equal((await changer.me()).username, 'zoe');
    await client.signedIn('zoe', 'Passw0rd-2');
  });
  await check('exists', async () => {
    assert.equal(await program().exists('zoe'), true);
    assert.equal(await program().exists('nobody-here'), false);
    assert.equal(await other.exists('zoe'), true);
  });
  await check('password reset is answered alike for all', async () => {
    await program().reset('zoe');
    await program().reset('nobody-here');
    await client.signedIn('zoe', 'Passw0rd-2');
  });
  await check('verification of the address is asked for', () => program().verify('zoe'));
  await check('a reminder of the name is answered alike for all', async () => {
    await program().forgot('zoe@example.org');
    await program().forgot('nobody@example.org');
  });
  if (other.lookup) {
    await check('lookup answers with what is public', async () => {
      const [found, ...more] = await other.lookup({ username: 'zoe' });
      assert.equal(more.length, 0);
      assert.deepEqual([found._id, found.username, found.email, found.first_name], [id, 'zoe', 'zoe@example.org', 'Zoe']);
      assert.equal('hobbies' in found || 'password' in found, false);
      assert.equal('authtoken' in (found._kmd || {}), false);
    });
    await check('lookup of nobody', async () => assert.deepEqual(await other.lookup({ username: 'nobody-here' }), []));
    await check('lookup by what is not public is refused', () => fails(client, other.lookup({ hobbies: 'chess' }), 'InvalidQuerySyntax'));
  }
  if (other.findUsers) {
    await check('users are found like entities', async () => {
      assert.deepEqual(ids(await other.findUsers({ username: 'zoe' })), [id]);
      assert.deepEqual(await other.findUsers({ username: 'nobody-here' }), []);
    });
  }
  if (other.countUsers) {
    await check('users are counted', async () => assert.equal(await other.countUsers({ username: 'zoe' }), 1));
  }
  if (other.getUser) {
    await check('a user by id', async () => {
      const found = await other.getUser(id);
      assert.equal(found.username, 'zoe');
      assert.equal('password' in found, false);
      await fails(client, other.getUser('000000000000000000000000'), 'UserNotFound');
    });
  }
  await check('another user cannot be removed', async () => {
    if (client.removesAsMaster || !other.removeUser) {
      const answer = await rest('DELETE', `/user/${kid}/${id}`, undefined, token(await other.active()));
      assert.deepEqual([answer.status, answer.body.error], [401, 'InsufficientCredentials']);
    } else {
      await fails(client, other.removeUser(id), 'InsufficientCredentials');
    }
    assert((await other.active())._id);
  });
  const root = program({ masterSecret });
  root.removeUser = root.removeUser || (async (user, options) => {
    const answer = await rest('DELETE', `/user/${kid}/${user}${options && options.hard ? '?hard=true' : ''}`);
    if (answer.status >= 400) throw Object.assign(new Error(answer.body.description), { name: answer.body.error });
  });
  await check('a suspended user is out, and his name is kept', async () => {
    const session = await client.signedIn('zoe', 'Passw0rd-2');
    const old = await session.active();
    await root.removeUser(id);
    await fails(client, program().login('zoe', 'Passw0rd-2'), 'InvalidCredentials', 'UserNotFound');
    assert.equal((await rest('GET', `/user/${kid}/_me`, undefined, token(old))).status, 401);
    assert.equal(await program().exists('zoe'), true);
    await fails(client, program().signup({ username: 'zoe', password }), 'UserAlreadyExists');
  });
  // A suspended user comes back.
  await check('restore', async () => {
    if (root.restoreUser) await root.restoreUser(id);
    else await must('POST', `/user/${kid}/${id}/_restore`);
    const again = await client.signedIn('zoe', 'Passw0rd-2');
    assert.deepEqual((await again.me()).hobbies, ['chess']);
  });
  await check('only the master restores', async () => {
    const answer = await rest('POST', `/user/${kid}/${id}/_restore`, undefined, token(await other.active()));
    assert.deepEqual([answer.status, answer.body.error], [401, 'InsufficientCredentials']);
  });
  await check('a removed user is gone, and his name is free', async () => {
    await root.removeUser(id, { hard: true });
    assert.equal(await program().exists('zoe'), false);
    await fails(client, root.removeUser(id, { hard: true }), 'UserNotFound');
    const made = await program().signup({ username: 'zoe', password });
    assert.notEqual(made._id, id);
  });
  await check('all sessions of a user end', async () => {
    const [one, two] = [await client.signedIn('zoe', password), await client.signedIn('zoe', password)];
    const [first, second] = [await one.active(), await two.active()];
    if (one.invalidateTokens) {
      await one.invalidateTokens();
      assert.equal(await one.active(), null);
    } else {
      const answer = await rest('DELETE', `/user/${kid}/${first._id}/tokens`, undefined, token(first));
      assert(answer.status < 300, `${answer.status}`);
    }
    for (const data of [first, second]) assert.equal((await rest('GET', `/user/${kid}/_me`, undefined, token(data))).body.error, 'InvalidCredentials');
    await client.signedIn('zoe', password);
  });
}

// entities is the life of an entity, and what queries find.
async function entities(client) {
  const alice = await client.signedIn('alice', 'alice');
  const me = alice.id;
  const store = alice.store('stock');
  const q = () => alice.query();

  await check('a collection that is not there is empty', async () => {
    const none = alice.store('nowhere');
    assert.deepEqual(await none.find(q()), []);
    assert.equal(await none.count(q()), 0);
    await fails(client, none.get('x'), 'EntityNotFound', 'CollectionNotFound');
  });
  await check('create answers with what was sent, an id, a creator and times', async () => {
    const made = await store.create({ name: 'first', n: 1.5, deep: { list: [1, null, 'x'] } });
    assert.match(made._id, /^[0-9a-f]{24}$/);
    assert.deepEqual(made._acl, { creator: me });
    assert.equal(made._kmd.ect, made._kmd.lmt);
    assert.deepEqual([made.name, made.n, made.deep], ['first', 1.5, { list: [1, null, 'x'] }]);
    assert.deepEqual(await store.get(made._id), made);
    assert.deepEqual(await store.remove(made._id), { count: 1 });
    await fails(client, store.get(made._id), 'EntityNotFound');
    await fails(client, store.remove(made._id), 'EntityNotFound');
  });
  await check('save with an id creates it', async () => {
    const made = await store.save({ _id: 'chosen', name: 'second' });
    assert.deepEqual([made._id, made.name, made._acl.creator], ['chosen', 'second', me]);
  });
  await check('save replaces, keeps the creation and moves the change', async () => {
    const before = await store.get('chosen');
    const after = await store.save(Object.assign({}, before, { name: undefined, colour: 'blue' }));
    assert.equal('name' in after, false);
    assert.deepEqual([after.colour, after._kmd.ect, after._acl], ['blue', before._kmd.ect, before._acl]);
    assert(after._kmd.lmt > before._kmd.lmt);
    await store.remove('chosen');
  });
  await check('text of every kind comes back', async () => {
    const text = 'é\u4e2d\ud83d\ude00 "\\/\b\f\n\r\t \u0001 </script> \u2028';
    const made = await store.create({ text, [text.slice(0, 4)]: 1 });
    assert.equal((await store.get(made._id)).text, text);
    await store.remove(made._id);
  });
  await check('an id with a blank and a colon', async () => {
    const made = await store.save({ _id: 'a:b c', n: 1 });
    assert.equal((await store.get(client.pathID(made._id))).n, 1);
    assert.deepEqual(await store.remove(client.pathID(made._id)), { count: 1 });
  });
  for (const item of stock) await store.save(Object.assign({}, item));

  const finds = (name, query, want, sorted) => check(name, async () => {
    const found = ids(await store.find(query));
    assert.deepEqual(sorted ? found : [...found].sort(), want);
    if (!sorted) assert.equal(await store.count(query), want.length, 'count');
  });
  const all = ids(stock);
  await finds('everything', q(), all);
  await finds('equalTo', q().equalTo('kind', 'fruit'), ['apple', 'cherry', 'date', 'fig']);
  await finds('equalTo a number', q().equalTo('price', 2.5), ['endive']);
  await finds('equalTo nested', q().equalTo('origin.country', 'be'), ['apple', 'endive']);
  await finds('equalTo an element', q().equalTo('tags', 'sweet'), ['apple', 'cherry', 'date']);
  await finds('equalTo null', q().equalTo('note', null), ['apple', 'date', 'endive']);
  await finds('equalTo an object', q().equalTo('origin', { country: 'tr' }), ['cherry']);
  await finds('equalTo the creator', q().equalTo('_acl.creator', me), all);
  await finds('notEqualTo', q().notEqualTo('kind', 'fruit'), ['beet', 'endive']);
  await finds('contains', q().contains('kind', ['root', 'leaf', 'nut']), ['beet', 'endive']);
  await finds('contains ids', q().contains('_id', ['fig', 'apple', 'none']), ['apple', 'fig']);
  await finds('notContainedIn', q().notContainedIn('kind', ['fruit']), ['beet', 'endive']);
  await finds('greaterThan', q().greaterThan('price', 3), ['cherry', 'date']);
  await finds('greaterThanOrEqualTo', q().greaterThanOrEqualTo('price', 3), ['apple', 'cherry', 'date']);
  await finds('lessThan', q().lessThan('price', 3), ['beet', 'endive']);
  await finds('lessThanOrEqualTo', q().lessThanOrEqualTo('price', 3), ['apple', 'beet', 'endive']);
  await finds('a range', q().greaterThan('price', 2).lessThan('price', 9), ['apple', 'date', 'endive']);
  await finds('a range of text', q().greaterThan('_id', 'd'), ['date', 'endive', 'fig']);
  await finds('a range of times', q().greaterThan('_kmd.lmt', '2001-01-01T00:00:00.000Z'), all);
  await finds('exists', q().exists('price'), ['apple', 'beet', 'cherry', 'date', 'endive']);
  await finds('does not exist', q().exists('price', false), ['fig']);
  // What a join answers with is not the joined query in every version.
  const joined = (query, operator, ...more) => {
    query[operator](...more);
    return query;
  };
  await finds('and', joined(q().equalTo('kind', 'fruit'), 'and', q().lessThan('price', 4)), ['apple']);
  await finds('or', joined(q().equalTo('kind', 'leaf'), 'or', q().greaterThan('price', 8)), ['cherry', 'endive']);
  await finds('or of three', joined(q().equalTo('_id', 'fig'), 'or', q().equalTo('_id', 'beet'), q().equalTo('_id', 'date')), ['beet', 'date', 'fig']);
  // Operators.
  await finds('nor', joined(q().equalTo('kind', 'fruit'), 'nor', q().equalTo('kind', 'leaf')), ['beet']);
  await finds('containsAll', q().containsAll('tags', ['red', 'sweet']), ['apple', 'cherry']);
  await finds('mod', q().mod('price', 2, 0), client.floatMod || ['beet', 'date', 'endive']);
  await finds('size', q().size('tags', 1), ['beet', 'date']);
  await finds('size of none', q().size('tags', 0), ['endive']);
  await finds('matches', q().matches('kind', /^fr/), ['apple', 'cherry', 'date', 'fig']);
  await finds('matches, with alternatives', q().matches('_id', /^(be|fi)/), ['beet', 'fig']);
  await finds('matches in an array', q().matches('tags', /^sm/), ['cherry']);
  await finds('matches, many lines', q().matches('note', /^ear/m), ['beet']);
  await check('an expression that is not anchored is refused', () => fails(client, store.find(client.rawQuery(alice, { kind: { $regex: 'ruit' } })), 'InvalidQuerySyntax'));
  await finds('not', client.rawQuery(alice, { price: { $not: { $gt: 3 } } }), ['apple', 'beet', 'endive', 'fig']);
  await finds('operators together', q().equalTo('kind', 'fruit').exists('price').matches('_id', /^[a-d]/), ['apple', 'cherry', 'date']);
  { // places
    const places = alice.store('places');
    for (const [_id, _geoloc] of [['harvard', [-71.1166, 42.377]], ['mit', [-71.0921, 42.3601]], ['airport', [-71.0096, 42.3656]], ['zero', [0, 0]]]) {
      await places.save({ _id, _geoloc });
    }
    await places.save({ _id: 'nowhere' });
    const near = async (query, want, sorted) => {
      const found = ids(await places.find(query));
      assert.deepEqual(sorted ? found : [...found].sort(), want);
    };
    await check('near, the nearest first', () => near(q().near('_geoloc', [-71.0928, 42.361], 10), ['mit', 'harvard', 'airport'], true));
    await check('near, within two miles', () => near(q().near('_geoloc', [-71.0928, 42.361], 2), ['mit', 'harvard'], true));
    await check('near, within a mile', () => near(q().near('_geoloc', [-71.0928, 42.361], 1), ['mit'], true));
    await check('near, without a limit', () => near(q().near('_geoloc', [1, 1]), ['airport', 'harvard', 'mit', 'zero']));
    await check('near, limit of one mile, none', () => near(q().near('_geoloc', [1, 1], 1), []));
    await check('within a box', () => near(q().withinBox('_geoloc', [-71.12, 42.35], [-71.05, 42.4]), ['harvard', 'mit']));
    await check('within a polygon of three, the most that some take', () => near(q().withinPolygon('_geoloc', [[-71.3, 42.3], [-71, 42.3], [-71.2, 42.6]]), ['harvard', 'mit']));
    await check('a place off the earth is refused', () => fails(client, places.create({ _geoloc: [0, 91] }), 'ParameterValueOutOfRange'));
    await check('near and another condition', () => near(q().near('_geoloc', [-71.0928, 42.361], 10).equalTo('_id', 'airport'), ['airport']));
  }

  const page = (query, more) => client.page(query, more);
  await finds('ascending, missing first', q().ascending('price'), ['fig', 'beet', 'endive', 'apple', 'date', 'cherry'], true);
  await finds('descending', q().descending('price'), ['cherry', 'date', 'apple', 'endive', 'beet', 'fig'], true);
  await finds('two sort fields', q().ascending('kind').descending('price'), ['cherry', 'date', 'apple', 'fig', 'endive', 'beet'], true);
  await finds('sort by a nested field', q().ascending('origin.country').descending('_id'), ['fig', 'endive', 'apple', 'date', 'beet', 'cherry'], true);
  await finds('limit', page(q().ascending('_id'), { limit: 2 }), ['apple', 'beet'], true);
  await finds('skip', page(q().ascending('_id'), { skip: 4 }), ['endive', 'fig'], true);
  await finds('limit and skip', page(q().ascending('_id'), { limit: 2, skip: 3 }), ['date', 'endive'], true);
  await finds('skip beyond the end', page(q().ascending('_id'), { limit: 2, skip: 30 }), [], true);
  await finds('a page of a filter', page(q().equalTo('kind', 'fruit').descending('_id'), { limit: 2, skip: 1 }), ['date', 'cherry'], true);
  await check('pages without an order do not overlap', async () => {
    const seen = [];
    for (let skip = 0; skip < 6; skip += 2) seen.push(...ids(await store.find(page(q(), { limit: 2, skip }))));
    assert.deepEqual(seen.sort(), all);
  });
  await check('count ignores limit, skip and sort', async () => assert.equal(await store.count(page(q().ascending('_id'), { limit: 1, skip: 2 })), 6));
  await check('fields', async () => {
    const [found] = await store.find(page(q().equalTo('_id', 'apple'), { fields: ['kind', 'origin.country'] }));
    assert.deepEqual([found._id, found.kind, found.origin], ['apple', 'fruit', { country: 'be' }]);
    assert.equal('price' in found || 'tags' in found, false);
  });
  await check('an unknown operator is refused', () => fails(client, store.find(client.rawQuery(alice, { price: { $bogus: 1 } })), 'InvalidQuerySyntax'));
  await check('code in a query is refused', () => fails(client, store.find(client.rawQuery(alice, { $where: 'true' })), 'DisallowedQuerySyntax', 'Kinvey', 'InvalidQuerySyntax'));
  await check('users are no collection', () => fails(client, alice.store('user').find(q()), 'IndirectCollectionAccessDisallowed'));
  await check('a name that begins with a dollar is refused', () => fails(client, store.create({ $set: 1 }), 'ParameterValueOutOfRange'));
  await check('an id that is no text is refused', () => fails(client, store.create({ _id: 7 }), ...client.noTextID || ['InvalidIdentifier']));

  if (store.group) {
    const group = client.aggregations(alice);
    const some = () => q().exists('price');
    const near = (got, want) => assert(Math.abs(got - want) < 1e-9, `${got}; want ${want}`);
    await check('count by a field, in order of appearance', async () => {
      assert.deepEqual(await store.group(group.count('kind')), [
        { kind: 'fruit', [group.as.count]: 4 }, { kind: 'root', [group.as.count]: 1 }, { kind: 'leaf', [group.as.count]: 1 }]);
    });
    await check('count of everything', async () => assert.equal((await store.group(group.count()))[0][group.as.count], 6));
    for (const [name, want] of [['sum', 21], ['min', 2], ['max', 9.5], ['average', 4.2]]) {
      if (!group[name]) continue;
      await check(name, async () => {
        const [got, ...more] = await store.group(group[name]('price', some()));
        assert.equal(more.length, 0);
        near(got[group.as[name]], name in group.wants ? group.wants[name] : want);
      });
      await check(`${name} by another field`, async () => {
        const got = await store.group(group[name]('price', some()).by('kind'));
        assert.deepEqual(got.map(bucket => bucket.kind), ['fruit', 'root', 'leaf']);
        near(got[1][group.as[name]], name in group.wants ? group.wants[name] : 2);
      });
    }
    await check('of nothing', async () => assert.deepEqual(await store.group(group.count('kind', q().equalTo('kind', 'none'))), []));
    await check('of a collection that is not there', async () => assert.deepEqual(await alice.store('nowhere').group(group.count('kind')), []));
    await check('what cannot be read does not count', async () => {
      await setLevel('payroll', 'private');
      const bob = await client.signedIn('bob', 'bob');
      await alice.store('payroll').create({ team: 'a', pay: 10 });
      await bob.store('payroll').create({ team: 'b', pay: 1000 });
      assert.deepEqual(await alice.store('payroll').group(group.count('team')), [{ team: 'a', [group.as.count]: 1 }]);
      if (group.sum) assert.equal((await alice.store('payroll').group(group.sum('pay')))[0][group.as.sum], 10);
    });
  }
  if (store.createMany) {
    await check('an array is inserted in order', async () => {
      const answer = await store.createMany([{ _id: 'm1', n: 1 }, { _id: 'm2', n: 2 }, { n: 3 }]);
      assert.deepEqual(answer.errors, []);
      assert.deepEqual(answer.entities.map(entity => entity.n), [1, 2, 3]);
      assert(answer.entities.every(entity => entity._acl.creator === me));
    });
    await check('what fails says where, the rest is stored', async () => {
      const answer = await store.createMany([{ _id: 'm4' }, { _id: 'm1' }, { _geoloc: [200, 0] }, { _id: 'm5' }]);
      assert.deepEqual(answer.entities.map(entity => entity && entity._id), ['m4', null, null, 'm5']);
      assert.deepEqual(answer.errors.map(error => [error.index, error.error]), [[1, 'KinveyInternalErrorRetry'], [2, 'ParameterValueOutOfRange']]);
    });
    await check('more than a hundred go in pieces', async () => {
      const many = alice.store('many');
      const answer = await many.createMany(Array.from({ length: 250 }, (_, n) => ({ n })));
      assert.equal(answer.errors.length, 0);
      assert.deepEqual(answer.entities.map(entity => entity.n), Array.from({ length: 250 }, (_, n) => n));
      assert.equal(await many.count(q()), 250);
    });
    await store.clean(client.rawQuery(alice, { _id: { $nin: all } }));
  }

  await check('removal by query counts what went', async () => {
    assert.deepEqual(await store.clean(q().equalTo('kind', 'fruit')), { count: 4 });
    assert.deepEqual(await store.clean(q().equalTo('kind', 'fruit')), { count: 0 });
    assert.deepEqual(ids(await store.find(q())).sort(), ['beet', 'endive']);
  });
  await check('removal by query takes only what the caller may write', async () => {
    const bob = await client.signedIn('bob', 'bob');
    await bob.store('stock').save({ _id: 'garlic', kind: 'root' });
    assert.deepEqual(await bob.store('stock').clean(bob.query().equalTo('kind', 'root')), { count: 1 });
    assert.deepEqual(ids(await store.find(q())).sort(), ['beet', 'endive']);
  });
  await check('the app secret reads no data', async () => {
    const answer = await rest('GET', `/appdata/${kid}/stock`, undefined, `Basic ${btoa(`${kid}:${appSecret}`)}`);
    assert.deepEqual([answer.status, answer.body.error], [401, 'InsufficientCredentials']);
  });
  await check('the master creates as the app, or for a user', async () => {
    const goods = client.program({ masterSecret }).store('stock');
    assert.equal((await goods.save({ _id: 'house' }))._acl.creator, kid);
    assert.equal((await goods.save({ _id: 'gift', _acl: { creator: me } }))._acl.creator, me);
    assert.equal((await store.save({ _id: 'gift', opened: true })).opened, true);
    await fails(client, store.save({ _id: 'house', opened: true }), 'InsufficientCredentials');
  });
}

// The table of the guide: what a level gives to a user who is neither the creator
// nor named, and what an ACL makes of it.
const levels = { shared: 'r', private: '', 'read-only': 'r', full: 'rw' };
const shapes = {
  'no ACL': () => [undefined, given => given],
  'gr on': () => [{ gr: true }, given => `r${given}`],
  'gr off': () => [{ gr: false }, given => given.replace('r', '')],
  'gw on': () => [{ gw: true }, given => `${given}w`],
  'gw off': () => [{ gw: false }, given => given.replace('w', '')],
  'all off': () => [{ gr: false, gw: false }, () => ''],
  reader: bob => [{ r: [bob] }, given => `r${given}`],
  writer: bob => [{ w: [bob] }, given => `${given}w`],
  'reader of a closed one': bob => [{ gr: false, gw: false, r: [bob] }, () => 'r'],
  'writer of a closed one': bob => [{ gr: false, gw: false, w: [bob] }, () => 'w'],
  'reader group': () => [{ groups: { r: ['crew'] } }, given => `r${given}`],
  'writer group': () => [{ groups: { w: ['crew'] } }, given => `${given}w`],
  'group in a group': () => [{ gr: false, groups: { r: ['outer'] } }, given => `r${given.replace('r', '')}`],
  'group of all': () => [{ gr: false, groups: { r: ['all'] } }, given => `r${given.replace('r', '')}`],
  'a group that is not': () => [{ groups: { r: ['none'], w: ['none'] } }, given => given],
};

// permissions holds two users to the table, for each level and shape of ACL.
async function permissions(client) {
  const [alice, bob] = [await client.signedIn('alice', 'alice'), await client.signedIn('bob', 'bob')];
  await setGroup('crew', [bob.id]);
  await setGroup('outer', [], { groups: [{ _type: 'KinveyRef', _collection: 'group', _id: 'crew' }] });
  await setGroup('all', [], { users: { all: true, list: [] } });
  const denied = promise => fails(client, promise, 'InsufficientCredentials');
  for (const [level, given] of Object.entries(levels)) {
    const name = `room-${level}`;
    const [hers, his] = [alice.store(name), bob.store(name)];
    await setLevel(name, 'full'); // under Read Only nobody creates
    const made = {};
    for (const shape of Object.keys(shapes)) {
      const [acl] = shapes[shape](bob.id);
      const entity = { shape };
      if (acl) entity._acl = acl;
      made[shape] = await hers.create(entity);
      assert.deepEqual(made[shape]._acl, Object.assign({ creator: alice.id }, acl));
    }
    await setLevel(name, level);
    for (const [shape, { _id }] of Object.entries(made)) {
      const [acl, change] = shapes[shape](bob.id);
      const rights = change(given);
      await check(`${level}, ${shape}: ${rights || 'nothing'}`, async () => {
        const one = () => bob.query().equalTo('_id', _id);
        const reads = rights.includes('r');
        assert.deepEqual(ids(await his.find(one())), reads ? [_id] : [], 'find');
        assert.equal(await his.count(one()), reads ? 1 : 0, 'count');
        if (reads) assert.equal((await his.get(_id)).shape, shape);
        else await denied(his.get(_id));
        if (rights.includes('w')) await his.save({ _id, shape, by: 'bob' });
        else await denied(his.save({ _id, shape, by: 'bob' }));
        const stored = await hers.get(_id);
        assert.equal(stored.by, rights.includes('w') ? 'bob' : undefined);
        assert.deepEqual(stored._acl, Object.assign({ creator: alice.id }, acl), 'the ACL stays');
        await hers.save(Object.assign(stored, { by: 'alice' }));
        if (rights.includes('w')) assert.deepEqual(await his.remove(_id), { count: 1 });
        else await denied(his.remove(_id));
        assert.equal(await hers.count(alice.query().equalTo('_id', _id)), rights.includes('w') ? 0 : 1, 'what is left');
      });
    }
    await check(`${level}: who creates`, async () => {
      if (level === 'read-only') await denied(his.create({ by: 'bob' }));
      else assert.equal((await his.create({ by: 'bob' }))._acl.creator, bob.id);
      assert.equal((await client.program({ masterSecret }).store(name).create({ by: 'master' }))._acl.creator, kid);
    });
  }
  await setLevel('desk', 'private');
  const [hers, his] = [alice.store('desk'), bob.store('desk')];
  await check('a grant is given and taken, in force at once', async () => {
    const { _id } = await hers.create({ text: 'x' });
    await denied(his.get(_id));
    await hers.save({ _id, text: 'x', _acl: { r: [bob.id] } });
    assert.equal((await his.get(_id)).text, 'x');
    await hers.save({ _id, text: 'x', _acl: {} });
    await denied(his.get(_id));
    await hers.save({ _id, text: 'x', _acl: { w: [bob.id] } });
    await his.save({ _id, text: 'his' });
    await denied(his.get(_id));
  });
  await check('an update without an ACL keeps the stored one', async () => {
    const { _id } = await hers.create({ _acl: { r: [bob.id] } });
    assert.deepEqual((await hers.save({ _id, n: 1 }))._acl, { creator: alice.id, r: [bob.id] });
  });
  await check('a writer changes no ACL, and is not told off for sending one', async () => {
    const { _id } = await hers.create({ _acl: { r: [bob.id], w: [bob.id] } });
    await his.save({ _id, n: 1, _acl: { creator: bob.id, gr: true } });
    assert.deepEqual((await hers.get(_id))._acl, { creator: alice.id, r: [bob.id], w: [bob.id] });
  });
  await check('nobody is the creator of another\'s entity', async () => {
    const made = await his.create({ _acl: { creator: alice.id } });
    assert.equal(made._acl.creator, bob.id);
    assert.deepEqual(ids(await hers.find(alice.query().equalTo('_id', made._id))), []);
  });
  await check('who joins and leaves a group gains and loses at once', async () => {
    await setGroup('guests', []);
    const { _id } = await hers.create({ _acl: { groups: { r: ['guests'] } } });
    await denied(his.get(_id));
    await setGroup('guests', [bob.id]);
    assert.equal((await his.get(_id))._id, _id);
    await setGroup('guests', []);
    await denied(his.get(_id));
  });
  await check('a level changes for what is there', async () => {
    const { _id } = await hers.create({});
    await denied(his.get(_id));
    await setLevel('desk', 'shared');
    assert.equal((await his.get(_id))._id, _id);
    await denied(his.save({ _id, n: 1 }));
    await setLevel('desk', 'full');
    assert.equal((await his.save({ _id, n: 1 })).n, 1);
    await setLevel('desk', 'private');
    await denied(his.get(_id));
  });
  await check('the master reads and writes what is closed', async () => {
    const { _id } = await hers.create({ _acl: { gr: false, gw: false } });
    const room = client.program({ masterSecret }).store('desk');
    assert.equal((await room.get(_id))._id, _id);
    await room.save({ _id, n: 1, _acl: { creator: bob.id } });
    assert.equal((await his.get(_id)).n, 1);
    await denied(hers.get(_id));
  });
}

module.exports = {
  appSecret, assert, check, entities, fails, ids, kid, masterSecret, must, permissions, rest, run, setGroup, setLevel, unload, url, users,
};
