'use strict';
// The ACL of an entity in every form that Kinvey.Acl can give it, who may change
// it, and grants, groups and levels that change under a running program.

const {
  assert, check, denied, ids, master, network, rejectedAs, rest, run, sdk, setGroup, setLevel, signedIn,
} = require('./harness');

run(async () => {
  const root = master();
  const [alice, bob, carol] = [await signedIn('alice'), await signedIn('bob'), await signedIn('carol')];
  await setGroup(root, 'team', [bob.id]);
  await setGroup(root, 'outer', [], { groups: [{ _type: 'KinveyRef', _collection: 'group', _id: 'team' }] });
  await setGroup(root, 'everybody', [], { users: { all: true, list: [] } });
  for (const level of ['shared', 'private', 'full']) await setLevel(root, level, level);

  // can demands that a program can do with an entity exactly what rights name.
  async function can(kinvey, collection, id, rights) {
    const store = network(kinvey, collection);
    const one = new kinvey.Query().equalTo('_id', id);
    const reads = rights.includes('read');
    assert.deepEqual(ids(await store.find(one).toPromise()), reads ? [id] : [], 'find');
    assert.equal(await store.count(one).toPromise(), reads ? 1 : 0, 'count');
    if (reads) await store.findById(id).toPromise();
    else await denied(kinvey, store.findById(id));
    const value = `${Math.random()}`;
    if (rights.includes('write')) await store.update({ _id: id, value });
    else await denied(kinvey, store.update({ _id: id, value }));
    const stored = await network(root, collection).findById(id).toPromise();
    assert.equal(stored.value === value, rights.includes('write'), 'what is stored');
  }

  // made makes an entity of alice's with an ACL.
  async function made(collection, shape) {
    const entity = { value: 'first' };
    const acl = new alice.Acl(entity);
    shape(acl);
    const sent = JSON.parse(JSON.stringify(acl.toPlainObject()));
    const { _id, _acl } = await network(alice, collection).create(entity);
    assert.deepEqual(_acl, Object.assign({ creator: alice.id }, sent), 'the ACL in the answer');
    return _id;
  }

  const form = (name, collection, shape, bobs, carols) => check(`${collection}: ${name}`, async () => {
    const id = await made(collection, shape);
    await can(bob, collection, id, bobs);
    await can(carol, collection, id, carols);
    await can(alice, collection, id, 'read write');
    const stored = await network(root, collection).findById(id).toPromise();
    assert.equal(stored._acl.creator, alice.id);
  });
  const none = '';
  await form('no grant', 'shared', () => {}, 'read', 'read');
  await form('no grant', 'private', () => {}, none, none);
  await form('no grant', 'full', () => {}, 'read write', 'read write');
  await form('globally readable', 'private', (acl) => { acl.globallyReadable = true; }, 'read', 'read');
  await form('not globally readable', 'shared', (acl) => { acl.globallyReadable = false; }, none, none);
  await form('not globally readable', 'full', (acl) => { acl.globallyReadable = false; }, 'write', 'write');
  await form('globally writable', 'shared', (acl) => { acl.globallyWritable = true; }, 'read write', 'read write');
  await form('globally writable', 'private', (acl) => { acl.globallyWritable = true; }, 'write', 'write');
  await form('not globally writable', 'full', (acl) => { acl.globallyWritable = false; }, 'read', 'read');
  await form('globally closed', 'full', (acl) => { acl.globallyReadable = false; acl.globallyWritable = false; }, none, none);
  await form('globally open', 'private', (acl) => { acl.globallyReadable = true; acl.globallyWritable = true; }, 'read write', 'read write');
  await form('a reader', 'private', acl => acl.addReader(bob.id), 'read', none);
  await form('a reader and globally closed', 'shared', (acl) => { acl.addReader(bob.id).globallyReadable = false; }, 'read', none);
  await form('a writer', 'shared', acl => acl.addWriter(bob.id), 'read write', 'read');
  await form('a writer who cannot read', 'private', acl => acl.addWriter(bob.id), 'write', none);
  await form('a writer and globally closed', 'full', (acl) => { acl.addWriter(bob.id).globallyWritable = false; }, 'read write', 'read');
  await form('a reader and writer', 'private', acl => acl.addReader(bob.id).addWriter(bob.id), 'read write', none);
  await form('a reader and another writer', 'private', acl => acl.addReader(bob.id).addWriter(carol.id), 'read', 'write');
  await form('two readers', 'private', acl => acl.addReader(bob.id).addReader(carol.id), 'read', 'read');
  await form('a reader group', 'private', acl => acl.addReaderGroup('team'), 'read', none);
  await form('a writer group', 'shared', acl => acl.addWriterGroup('team'), 'read write', 'read');
  await form('a writer group that cannot read', 'private', acl => acl.addWriterGroup('team'), 'write', none);
  await form('a reader and writer group', 'private', acl => acl.addReaderGroup('team').addWriterGroup('team'), 'read write', none);
  await form('a reader group and globally closed', 'shared', (acl) => { acl.addReaderGroup('team').globallyReadable = false; }, 'read', none);
  await form('a group in a group', 'private', acl => acl.addReaderGroup('outer'), 'read', none);
  await form('a group of all', 'private', acl => acl.addReaderGroup('everybody'), 'read', 'read');
  await form('a group that does not exist', 'private', acl => acl.addReaderGroup('nowhere').addWriterGroup('nowhere'), none, none);
  await form('the id of a group among the readers', 'private', acl => acl.addReader('team'), none, none);
  await form('the id of a user among the groups', 'private', acl => acl.addReaderGroup(bob.id), none, none);
  await form('a reader taken out again', 'private', acl => acl.addReader(bob.id).addReader(carol.id).removeReader(bob.id), none, 'read');
  await form('a writer taken out again', 'shared', acl => acl.addWriter(bob.id).removeWriter(bob.id), 'read', 'read');
  await form('groups taken out again', 'private',
    acl => acl.addReaderGroup('team').addWriterGroup('team').removeReaderGroup('team').removeWriterGroup('team'), none, none);

  // Who may change an ACL.
  const papers = { alice: network(alice, 'private'), bob: network(bob, 'private'), root: network(root, 'private') };
  const stored = async id => (await papers.root.findById(id).toPromise())._acl;
  await check('the accessors read what the server answers', async () => {
    const id = await made('private', (acl) => {
      acl.addReader(bob.id).addWriter(carol.id).addReaderGroup('team').addWriterGroup('outer').globallyReadable = true;
    });
    const acl = new bob.Acl(await papers.bob.findById(id).toPromise());
    assert.deepEqual([acl.creator, acl.readers, acl.writers, acl.readerGroups, acl.writerGroups, acl.isGloballyReadable(), acl.isGloballyWritable()],
      [alice.id, [bob.id], [carol.id], ['team'], ['outer'], true, false]);
  });
  await check('the creator gives and takes, in force at once', async () => {
    const id = await made('private', () => {});
    const entity = await papers.alice.findById(id).toPromise();
    await can(bob, 'private', id, none);
    new alice.Acl(entity).addReader(bob.id);
    await papers.alice.save(entity);
    await can(bob, 'private', id, 'read');
    new alice.Acl(entity).removeReader(bob.id).addWriter(bob.id);
    await papers.alice.save(entity);
    await can(bob, 'private', id, 'write');
    new alice.Acl(entity).removeWriter(bob.id);
    await papers.alice.save(entity);
    await can(bob, 'private', id, none);
  });
  await check('an update without an ACL keeps the stored one', async () => {
    const id = await made('private', acl => acl.addReader(bob.id).addReaderGroup('team'));
    await papers.alice.update({ _id: id, value: 'second' });
    assert.deepEqual(await stored(id), { creator: alice.id, r: [bob.id], groups: { r: ['team'] } });
  });
  await check('a writer saves what he found, ACL and all', async () => {
    const id = await made('private', acl => acl.addReader(bob.id).addWriter(bob.id));
    const entity = await papers.bob.findById(id).toPromise();
    const saved = await papers.bob.save(Object.assign(entity, { value: 'his' }));
    assert.deepEqual([saved.value, saved._acl], ['his', { creator: alice.id, r: [bob.id], w: [bob.id] }]);
  });
  await check('a writer cannot set permissions', async () => {
    const id = await made('private', acl => acl.addReader(bob.id).addWriter(bob.id));
    const entity = await papers.bob.findById(id).toPromise();
    const acl = new bob.Acl(entity);
    acl.globallyReadable = true;
    acl.addReader(carol.id).addWriterGroup('everybody');
    const saved = await papers.bob.save(entity);
    assert.deepEqual(saved._acl, { creator: alice.id, r: [bob.id], w: [bob.id] });
    assert.deepEqual(await stored(id), saved._acl);
    await can(carol, 'private', id, none);
  });
  await check('a writer cannot become the creator', async () => {
    const id = await made('private', acl => acl.addWriter(bob.id));
    await papers.bob.update({ _id: id, _acl: { creator: bob.id } });
    assert.deepEqual(await stored(id), { creator: alice.id, w: [bob.id] });
    await can(bob, 'private', id, 'write');
  });
  await check('a writer who cannot read is shown no grants', async () => {
    const id = await made('private', acl => acl.addWriter(bob.id).addReader(carol.id));
    assert.deepEqual((await papers.bob.update({ _id: id, value: 'his' }))._acl, { creator: alice.id });
  });
  await check('a creator cannot give the entity away', async () => {
    const id = await made('private', () => {});
    assert.equal((await papers.alice.update({ _id: id, _acl: { creator: bob.id } }))._acl.creator, alice.id);
    await can(bob, 'private', id, none);
  });
  await check('nobody creates in the name of another', async () => {
    assert.equal((await papers.bob.create({ _acl: { creator: alice.id } }))._acl.creator, bob.id);
    assert.equal((await papers.bob.update({ _id: 'named', _acl: { creator: alice.id } }))._acl.creator, bob.id);
  });
  await check('the master changes permissions and creators', async () => {
    const id = await made('private', () => {});
    await papers.root.update({ _id: id, _acl: { creator: bob.id, gr: false } });
    assert.deepEqual(await stored(id), { creator: bob.id, gr: false });
    await can(bob, 'private', id, 'read write');
    await can(alice, 'private', id, none);
  });
  await check('the full form of the .NET client is stored as sent, with the creator', async () => {
    const full = { creator: null, gr: false, gw: false, r: [], w: [], groups: { r: [], w: [] } };
    const entity = await network(alice, 'shared').create({ _acl: full });
    assert.deepEqual(entity._acl, Object.assign({}, full, { creator: alice.id }));
    await can(bob, 'shared', entity._id, none);
  });
  await check('an ACL that is none is refused', async () => {
    for (const acl of ['text', 7, [], { r: 'bob' }, { w: [1] }, { groups: [] }, { gr: 'perhaps' }]) {
      await rejectedAs(alice, papers.alice.create({ _acl: acl }), 'ParameterValueOutOfRangeError', 400);
    }
  });

  // What is hidden stays hidden.
  const pile = { alice: network(alice, 'pile'), bob: network(bob, 'pile') };
  await setLevel(root, 'pile', 'private');
  for (let n = 0; n < 12; n += 1) await (n % 2 ? pile.bob : pile.alice).create({ _id: `n${10 + n}`, n, secret: n % 2 ? 'bob' : 'alice' });
  await check('a private collection answers each user with his own', async () => {
    assert.deepEqual(ids(await pile.bob.find().toPromise()), ['n11', 'n13', 'n15', 'n17', 'n19', 'n21']);
    assert.deepEqual(ids(await pile.alice.find().toPromise()), ['n10', 'n12', 'n14', 'n16', 'n18', 'n20']);
    assert.equal(await network(root, 'pile').count().toPromise(), 12);
  });
  await check('pages have no gaps where hidden entities are', async () => {
    const query = Object.assign(new bob.Query().descending('n'), { limit: 2, skip: 2 });
    assert.deepEqual((await pile.bob.find(query).toPromise()).map(entity => entity._id), ['n17', 'n15']);
  });
  await check('no filter reveals what is hidden', async () => {
    const query = new bob.Query().equalTo('secret', 'alice');
    assert.deepEqual(await pile.bob.find(query).toPromise(), []);
    assert.equal(await pile.bob.count(query).toPromise(), 0);
    assert.equal(await pile.bob.count(new bob.Query().contains('_id', ['n10', 'n11'])).toPromise(), 1);
  });
  await check('removal by query removes nothing of others', async () => {
    assert.deepEqual(await pile.bob.remove(new bob.Query().greaterThanOrEqualTo('n', 6)), { count: 3 });
    assert.equal(await pile.alice.count().toPromise(), 6);
  });

  // Groups under a running program.
  await check('who joins a group reads with the next request, who leaves does not', async () => {
    const id = await made('private', acl => acl.addReaderGroup('club').addWriterGroup('club'));
    await can(bob, 'private', id, none);
    await setGroup(root, 'club', [bob.id]);
    await can(bob, 'private', id, 'read write');
    await setGroup(root, 'club', [carol.id]);
    await can(bob, 'private', id, none);
    await can(carol, 'private', id, 'read write');
    await setGroup(root, 'club', [], { users: { all: true } });
    await can(bob, 'private', id, 'read write');
    await rest(root, 'DELETE', '/group/kid_dev/club');
    await can(bob, 'private', id, none);
    await can(carol, 'private', id, none);
  });
  await check('who joins an inner group joins the outer', async () => {
    const id = await made('private', acl => acl.addReaderGroup('outer'));
    await setGroup(root, 'team', [bob.id, carol.id]);
    await can(carol, 'private', id, 'read');
    await setGroup(root, 'team', [bob.id]);
    await can(carol, 'private', id, none);
  });
  await check('a user makes, reads, changes and removes his own group', async () => {
    const group = await rest(bob, 'POST', '/group/kid_dev', { _id: 'bobs', users: { list: [{ _type: 'KinveyRef', _collection: 'user', _id: carol.id }] } });
    assert.deepEqual([group._id, group._acl], ['bobs', { creator: bob.id }]);
    const id = (await papers.bob.create({ _acl: { groups: { r: ['bobs'] } } }))._id;
    await can(carol, 'private', id, 'read');
    await setGroup(bob, 'bobs', [alice.id]);
    await can(carol, 'private', id, none);
    await can(alice, 'private', id, 'read');
    assert.equal((await rest(carol, 'GET', '/group/kid_dev/bobs'))._id, 'bobs');
    await denied(carol, setGroup(carol, 'bobs', [carol.id]));
    await denied(carol, rest(carol, 'DELETE', '/group/kid_dev/bobs'));
    await can(carol, 'private', id, none);
    await rest(bob, 'DELETE', '/group/kid_dev/bobs');
    await can(alice, 'private', id, none);
  });
  await check('nobody makes the group that an ACL waits for', async () => {
    const id = await made('private', acl => acl.addReaderGroup('waited-for'));
    await denied(bob, setGroup(bob, 'waited-for', [bob.id]));
    await can(bob, 'private', id, none);
  });
  await check('only the master lists groups', async () => {
    await denied(bob, rest(bob, 'GET', '/group/kid_dev'));
    assert((await rest(root, 'GET', '/group/kid_dev')).some(group => group._id === 'team'));
  });
  await check('a group that does not exist is not found', () =>
    rejectedAs(bob, rest(bob, 'GET', '/group/kid_dev/nowhere'), 'NotFoundError', 404));

  // Levels under a running program.
  await check('a new level is in force with the next request', async () => {
    const store = network(alice, 'moving');
    const id = (await store.create({ value: 'first' }))._id;
    await can(bob, 'moving', id, 'read');
    for (const [level, rights] of [['private', none], ['full', 'read write'], ['read-only', 'read'], ['shared', 'read']]) {
      await setLevel(root, 'moving', level);
      await can(bob, 'moving', id, rights);
      await can(alice, 'moving', id, 'read write');
    }
  });
  for (const [level, creates] of [['shared', true], ['private', true], ['full', true], ['read-only', false]]) {
    await check(`${level}: a user ${creates ? 'may' : 'may not'} create`, async () => {
      const collection = `making-${level}`;
      await setLevel(root, collection, level);
      const store = network(bob, collection);
      if (creates) {
        await store.create({ _id: 'one' });
        await store.update({ _id: 'two' });
      } else {
        await denied(bob, store.create({ _id: 'one' }));
        await denied(bob, store.update({ _id: 'two' }));
      }
      assert.equal(await store.count().toPromise(), creates ? 2 : 0);
      await network(root, collection).create({ _id: 'three' });
    });
  }
  await check('a level is shown under its wire name', async () => {
    for (const [level, wire] of [['shared', 'append-read'], ['private', 'append-only'], ['read-only', 'read-only'], ['full', 'write']]) {
      for (const name of [level, wire]) {
        await setLevel(root, 'named', name);
        assert.equal((await rest(root, 'GET', '/v4/environments/kid_dev/collections/named')).permissions, wire);
      }
    }
  });
  await check('a level that does not exist is refused and changes nothing', async () => {
    await setLevel(root, 'named', 'private');
    await rejectedAs(root, setLevel(root, 'named', 'secret'), 'KinveyError', 400);
    assert.equal((await rest(root, 'GET', '/v4/environments/kid_dev/collections/named')).permissions, 'append-only');
  });
  await check('a user cannot change a level', async () => {
    await rejectedAs(bob, setLevel(bob, 'private', 'full'), 'InsufficientCredentialsError', 401);
    assert(bob.User.getActiveUser(), 'the SDK lost its session');
    assert.equal((await rest(root, 'GET', '/v4/environments/kid_dev/collections/private')).permissions, 'append-only');
  });

  // User records have ACLs too.
  await check('a record made unreadable is still discovered', async () => {
    const erin = sdk();
    const { _id } = await erin.User.signup({ username: 'erin', password: 'erin-1', _acl: { gr: false } });
    await denied(bob, rest(bob, 'GET', `/user/kid_dev/${_id}`));
    assert.deepEqual(ids(await bob.User.lookup(new bob.Query().equalTo('username', 'erin')).toPromise()), [_id]);
  });
  await check('a record made writable is changed by others, its credentials are not', async () => {
    const frank = sdk();
    const { _id } = await frank.User.signup({ username: 'frank', password: 'frank-1', _acl: { gw: true } });
    const record = await rest(bob, 'PUT', `/user/kid_dev/${_id}`, { username: 'robert', colour: 'blue' });
    assert.equal('authtoken' in record._kmd, false);
    await denied(bob, rest(bob, 'PUT', `/user/kid_dev/${_id}`, { password: 'stolen-1' }));
    const me = await frank.User.me();
    assert.deepEqual([me.username, me.data.colour], ['frank', 'blue']);
    await signedIn('frank', 'frank-1');
  });
  await check('discovery does not depend on the level of the users', async () => {
    await setLevel(root, 'user', 'private');
    await denied(bob, rest(bob, 'GET', `/user/kid_dev/${alice.id}`));
    assert.equal((await bob.User.lookup(new bob.Query().equalTo('username', 'alice')).toPromise()).length, 1);
    assert.equal((await bob.User.me()).username, 'bob');
    await setLevel(root, 'user', 'shared');
    assert.equal((await rest(bob, 'GET', `/user/kid_dev/${alice.id}`)).username, 'alice');
  });
});
