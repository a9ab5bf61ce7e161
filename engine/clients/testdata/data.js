'use strict';
// One user, one collection: create, find, save, remove and what a query can say.

const {
  assert, check, denied, master, network, rejectedAs, rest, run, signedIn,
} = require('./harness');

const stock = [
  { _id: 'apple', kind: 'fruit', price: 3, tags: ['red', 'sweet'], origin: { country: 'be', farm: { name: 'Hill' } } },
  { _id: 'beet', kind: 'root', price: 1.5, tags: ['red'], origin: { country: 'nl' }, note: null },
  { _id: 'cherry', kind: 'fruit', price: 9, tags: [], origin: { country: 'tr' }, note: 'in season' },
  { _id: 'date', kind: 'fruit', price: 7, origin: { country: 'tn', farm: { name: 'Oasis' } } },
  { _id: 'endive', kind: 'leaf', price: 3, tags: ['white'], origin: { country: 'be' } },
  { _id: 'fig', kind: 'fruit', tags: ['sweet'], origin: { country: 'tr' }, note: 'ripe' },
];

run(async () => {
  const alice = await signedIn('alice');
  const store = network(alice, 'shop');
  const { Query } = alice;
  const meta = ['_id', '_acl', '_kmd'];

  await check('a collection that does not exist is empty', async () => {
    assert.deepEqual(await store.find().toPromise(), []);
    assert.equal(await store.count().toPromise(), 0);
    await rejectedAs(alice, store.findById('apple'), 'NotFoundError', 404);
  });

  // Create and save.
  await check('create gives an id, the creator and the times, and nothing more', async () => {
    const made = await store.create({ kind: 'test' });
    assert.deepEqual(Object.keys(made).sort(), ['_acl', '_id', '_kmd', 'kind']);
    assert.match(made._id, /^[0-9a-f]{24}$/);
    assert.deepEqual(made._acl, { creator: alice.id });
    assert.match(made._kmd.ect, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.equal(made._kmd.lmt, made._kmd.ect);
    assert.deepEqual(await store.findById(made._id).toPromise(), made);
    assert.deepEqual(await store.removeById(made._id), { count: 1 });
  });
  await check('create keeps a chosen id', async () => {
    for (const item of stock) assert.equal((await store.create(item))._id, item._id);
  });
  await check('save without an id creates, with an id updates', async () => {
    const made = await store.save({ n: 1 });
    const saved = await store.save(Object.assign(made, { n: 2 }));
    assert.equal(saved._id, made._id);
    assert.equal((await store.findById(made._id).toPromise()).n, 2);
    await store.removeById(made._id);
  });
  await check('values come back as they were sent', async () => {
    const sent = {
      text: 'åß 漢字 😀 "quoted" \\ / \n\u0001', number: 1e-7, large: 9007199254740991, negative: -0.5, zero: 0, yes: true, no: false,
      nothing: null, list: [1, 'a', null, { deep: [[]] }], object: { a: { b: { c: {} } } }, empty: '', none: [], _odd: 1, 'key with space': 1,
    };
    const made = await store.create(sent);
    const { _id, _acl, _kmd, ...fields } = await store.findById(made._id).toPromise();
    assert.deepEqual(fields, sent);
    await store.removeById(_id);
  });
  await check('update replaces the entity, keeps ect and moves lmt', async () => {
    const made = await store.create({ a: 1, b: 2 });
    const saved = await store.update({ _id: made._id, a: 3 });
    const found = await store.findById(made._id).toPromise();
    assert.deepEqual(found, saved);
    assert.equal('b' in found, false);
    assert.equal(found._kmd.ect, made._kmd.ect);
    assert(found._kmd.lmt > made._kmd.lmt);
    await store.removeById(made._id);
  });
  await check('update of an id that does not exist creates it', async () => {
    const saved = await store.update({ _id: 'fresh', a: 1 });
    assert.deepEqual([saved._id, saved._acl], ['fresh', { creator: alice.id }]);
    assert.deepEqual(await store.removeById('fresh'), { count: 1 });
  });
  await check('create with an id in use saves, at this API version', async () => {
    await store.create({ _id: 'twice', n: 1 });
    assert.equal((await store.create({ _id: 'twice', n: 2 })).n, 2);
    assert.equal(await store.count(new Query().equalTo('_id', 'twice')).toPromise(), 1);
  });
  await check('create cannot overwrite another\'s entity', async () => {
    const bob = await signedIn('bob');
    await denied(bob, network(bob, 'shop').create({ _id: 'twice', n: 3 }));
    assert.equal((await store.findById('twice').toPromise()).n, 2);
    await store.removeById('twice');
  });
  await check('an id with blanks and signs', async () => {
    const id = 'a b?c#d&e=f+g';
    await store.create({ _id: id, n: 1 });
    assert.equal((await store.findById(id).toPromise())._id, id);
    assert.equal((await store.update({ _id: id, n: 2 })).n, 2);
    assert.deepEqual(await store.removeById(id), { count: 1 });
  });
  await check('null members of the frame count as absent', async () => {
    const made = await store.create({ _id: null, _acl: null, _kmd: null, n: 1 });
    assert.match(made._id, /^[0-9a-f]{24}$/);
    assert.deepEqual(made._acl, { creator: alice.id });
    await store.removeById(made._id);
  });

  // Queries.
  const finds = (name, query, want) => check(name, async () => {
    const found = await store.find(query).toPromise();
    assert.deepEqual(found.map(entity => entity._id), want);
    if (!query || (query.limit === null && query.skip === 0)) assert.equal(await store.count(query).toPromise(), want.length, 'count');
  });
  const q = () => new Query();
  await finds('find without a query, in the order of creation', undefined, stock.map(item => item._id));
  await finds('find with an empty query', q(), stock.map(item => item._id));
  await finds('equalTo', q().equalTo('kind', 'root'), ['beet']);
  await finds('equalTo compares types', q().equalTo('price', '3'), []);
  await finds('equalTo null is null or missing', q().equalTo('note', null), ['apple', 'beet', 'date', 'endive']);
  await finds('equalTo an element of a list', q().equalTo('tags', 'sweet'), ['apple', 'fig']);
  await finds('equalTo a nested field', q().equalTo('origin.country', 'tr'), ['cherry', 'fig']);
  await finds('equalTo a deeper field', q().equalTo('origin.farm.name', 'Oasis'), ['date']);
  await finds('equalTo an object', q().equalTo('origin', { country: 'be' }), ['endive']);
  await finds('equalTo the creator', q().equalTo('_acl.creator', alice.id), stock.map(item => item._id));
  await finds('equalTo another creator', q().equalTo('_acl.creator', 'x'), []);
  await finds('notEqualTo', q().notEqualTo('kind', 'fruit'), ['beet', 'endive']);
  await finds('greaterThan', q().greaterThan('price', 3), ['cherry', 'date']);
  await finds('greaterThanOrEqualTo', q().greaterThanOrEqualTo('price', 3), ['apple', 'cherry', 'date', 'endive']);
  await finds('lessThan', q().lessThan('price', 3), ['beet']);
  await finds('lessThanOrEqualTo', q().lessThanOrEqualTo('price', 3), ['apple', 'beet', 'endive']);
  await finds('a range on one field', q().greaterThan('price', 1.5).lessThan('price', 9), ['apple', 'date', 'endive']);
  await finds('greaterThan on text', q().greaterThan('_id', 'd'), ['date', 'endive', 'fig']);
  await finds('greaterThan on a time', q().greaterThan('_kmd.lmt', '2001-01-01T00:00:00.000Z'), stock.map(item => item._id));
  await finds('contains', q().contains('kind', ['root', 'leaf', 'nut']), ['beet', 'endive']);
  await finds('contains ids', q().contains('_id', ['fig', 'apple', 'none']), ['apple', 'fig']);
  await finds('notContainedIn', q().notContainedIn('kind', ['root', 'leaf']), ['apple', 'cherry', 'date', 'fig']);
  await finds('exists', q().exists('note'), ['beet', 'cherry', 'fig']);
  await finds('exists, nested', q().exists('origin.farm'), ['apple', 'date']);
  await finds('does not exist', q().exists('price', false), ['fig']);
  await finds('and', q().equalTo('kind', 'fruit').and(q().equalTo('price', 3)), ['apple']);
  await finds('or', q().equalTo('kind', 'root').or(q().greaterThan('price', 8)), ['beet', 'cherry']);
  // A chain without arguments goes on in another object; the first one is the query.
  const chain = (grow) => {
    const first = q();
    grow(first);
    return first;
  };
  await finds('or of three', chain(first => first.equalTo('_id', 'fig').or().equalTo('_id', 'beet').or().equalTo('_id', 'date')),
    ['beet', 'date', 'fig']);
  await finds('and binds closer than or', chain(first => first.equalTo('kind', 'fruit').and().equalTo('price', 3).or().equalTo('kind', 'leaf')),
    ['apple', 'endive']);
  await finds('ascending, missing first', q().ascending('price').notEqualTo('_id', 'endive'), ['fig', 'beet', 'apple', 'date', 'cherry']);
  await finds('descending', q().descending('_id'), ['fig', 'endive', 'date', 'cherry', 'beet', 'apple']);
  await finds('two sort fields', q().ascending('kind').descending('price'), ['cherry', 'date', 'apple', 'fig', 'endive', 'beet']);
  await finds('sort by a nested field', q().ascending('origin.country').descending('_id'), ['endive', 'apple', 'beet', 'date', 'fig', 'cherry']);

  const page = (limit, skip) => Object.assign(q().ascending('_id'), { limit, skip });
  await finds('limit', page(2, 0), ['apple', 'beet']);
  await finds('skip', page(null, 4), ['endive', 'fig']);
  await finds('limit and skip', page(2, 3), ['date', 'endive']);
  await finds('skip beyond the end', page(2, 10), []);
  await finds('a page of a filter', Object.assign(q().equalTo('kind', 'fruit').descending('_id'), { limit: 2, skip: 1 }), ['date', 'cherry']);
  await check('count ignores sort, limit and skip', async () => {
    assert.equal(await store.count(page(1, 3)).toPromise(), 6);
    assert.equal(await store.count(Object.assign(q().equalTo('kind', 'fruit'), { limit: 1 })).toPromise(), 4);
  });
  await check('fields', async () => {
    const query = q().equalTo('_id', 'apple');
    query.fields = ['kind', 'origin.country', 'none'];
    const [found] = await store.find(query).toPromise();
    assert.deepEqual(Object.keys(found).sort(), [...meta, 'kind', 'origin'].sort());
    assert.deepEqual(found.origin, { country: 'be' });
  });
  await check('find speaks to an observer', () => new Promise((resolve, reject) => {
    const seen = [];
    store.find(q().equalTo('_id', 'fig')).subscribe(found => seen.push(found.length), reject, () => {
      try { resolve(assert.deepEqual(seen, [1])); } catch (error) { reject(error); }
    });
  }));
  await check('custom properties, versions and flags of a request are tolerated', async () => {
    const kinvey = await signedIn('alice');
    kinvey.setAppVersion('1.2.3');
    const properties = new kinvey.Properties({ tint: 'blue' });
    const found = await network(kinvey, 'shop').find(undefined, { properties, skipBL: true, timeout: 10000 }).toPromise();
    assert.equal(found.length, stock.length);
  });

  // Refusals.
  const refused = (name, act, Class, code) => check(name, async () => {
    await rejectedAs(alice, act(), Class, code);
    assert.equal(await store.count().toPromise(), stock.length);
  });
  await refused('find of a missing id', () => store.findById('none'), 'NotFoundError', 404);
  await refused('removal of a missing id', () => store.removeById('none'), 'NotFoundError', 404);
  await refused('an operator that does not exist', () => store.find(q().addFilter('price', '$bogus', 1)), 'InvalidQuerySyntaxError', 400);
  await refused('code in a query', () => store.find(q().equalTo('$where', 'true')), 'KinveyError', 400);
  await refused('a member that begins with $', () => store.create({ $set: 1 }), 'ParameterValueOutOfRangeError', 400);
  await refused('an id that is no text', () => store.create({ _id: 7 }), 'InvalidIdentifierError', 400);
  await refused('users are no collection', () => network(alice, 'user').find(), 'IndirectCollectionAccessDisallowedError', 403);
  await refused('the app secret reads no data', () =>
    rest(alice, 'GET', '/appdata/kid_dev/shop', undefined, alice.AuthType.App), 'InsufficientCredentialsError', 401);
  await refused('removal without a query', () => store.remove(), 'MissingQueryError', 400);
  await refused('removal with an empty query', () => store.remove(q()), 'MissingQueryError', 400);

  // Removal.
  await check('removal by id', async () => {
    assert.deepEqual(await store.removeById('apple'), { count: 1 });
    await rejectedAs(alice, store.findById('apple'), 'NotFoundError', 404);
  });
  await check('removal by query counts what went', async () => {
    assert.deepEqual(await store.remove(q().equalTo('kind', 'fruit')), { count: 3 });
    assert.deepEqual(await store.remove(q().equalTo('kind', 'fruit')), { count: 0 });
    assert.deepEqual((await store.find().toPromise()).map(entity => entity._id), ['beet', 'endive']);
  });
  await check('removal by query takes only what the caller may remove', async () => {
    const bob = await signedIn('bob');
    const his = network(bob, 'shop');
    await his.create({ _id: 'garlic', kind: 'root' });
    assert.deepEqual(await his.remove(new bob.Query().equalTo('kind', 'root')), { count: 1 });
    assert.deepEqual((await store.find().toPromise()).map(entity => entity._id), ['beet', 'endive']);
  });
  await check('the master creates as the app, or for a user', async () => {
    const goods = network(master(), 'shop');
    assert.equal((await goods.create({ _id: 'house' }))._acl.creator, 'kid_dev');
    assert.equal((await goods.create({ _id: 'gift', _acl: { creator: alice.id } }))._acl.creator, alice.id);
    assert.equal((await store.update({ _id: 'gift', opened: true })).opened, true);
    await denied(alice, store.update({ _id: 'house', opened: true }));
  });
});
