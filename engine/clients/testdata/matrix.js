'use strict';
// Every level, every shape of an ACL, every kind of user, every operation.
// What is expected is computed here, from the tables below and nothing else.

const {
  assert, check, denied, ids, master, network, rejectedAs, run, sdk, setGroup, setLevel,
} = require('./harness');

// "Below is the full list of collection-level permission settings": what a level
// lets a user do with the data of others.
const levels = {
  shared: { read: true, write: false }, // read-all, write-yours
  private: { read: false, write: false }, // read-yours, write-yours
  'read-only': { read: true, write: false }, // read-all, write-none
  full: { read: true, write: true }, // read-all, write-all
};

// "An individual entity can override the collection level setting by turning on
// or off the global read or global write property."
const shapes = {
  'no switch': {},
  'gr on': { read: true },
  'gr off': { read: false },
  'gw on': { write: true },
  'gw off': { write: false },
};

// "Creators always have read and write access"; "the master secret has read and
// write access to all data"; readers, writers and groups have what they are
// named for: "write does not imply read".
const grants = {
  creator: { read: true, write: true },
  other: {},
  reader: { read: true },
  writer: { write: true },
  'group reader': { read: true },
  'group writer': { write: true },
  master: { read: true, write: true },
};

// "Lower level (entity) permissions take priority over higher ones (collection)."
function may(right, who, shape, level) {
  if (grants[who][right]) return true;
  if (right in shapes[shape]) return shapes[shape][right];
  return levels[level][right];
}

run(async () => {
  const root = master();
  const programs = { master: root };
  for (const who of Object.keys(grants).filter(name => name !== 'master')) {
    const kinvey = sdk();
    kinvey.id = (await kinvey.User.signup({ username: `matrix ${who}`, password: `matrix ${who}` }))._id;
    programs[who] = kinvey;
  }
  await setGroup(root, 'matrix-readers', [programs['group reader'].id]);
  await setGroup(root, 'matrix-writers', [programs['group writer'].id]);

  // fill makes one entity for each kind of user, all of the creator and all with one ACL.
  async function fill(collection, shape) {
    const { creator } = programs;
    const targets = {};
    for (const who of Object.keys(grants)) {
      const entity = { value: 'old' };
      const acl = new creator.Acl(entity);
      acl.addReader(programs.reader.id).addWriter(programs.writer.id).addReaderGroup('matrix-readers').addWriterGroup('matrix-writers');
      if ('read' in shapes[shape]) acl.globallyReadable = shapes[shape].read;
      if ('write' in shapes[shape]) acl.globallyWritable = shapes[shape].write;
      targets[who] = (await network(creator, collection).create(entity))._id;
    }
    return targets;
  }

  for (const level of Object.keys(levels)) {
    for (const shape of Object.keys(shapes)) {
      const collection = `matrix_${level}_${shape.replace(' ', '_')}`;
      const targets = await fill(collection, shape);
      await setLevel(root, collection, level);
      const truth = network(root, collection);
      for (const who of Object.keys(grants)) {
        const kinvey = programs[who];
        const store = network(kinvey, collection);
        const id = targets[who];
        const reads = may('read', who, shape, level);
        const writes = may('write', who, shape, level);
        const cell = (operation, allowed, act) => check(`${level}, ${shape}: ${who} ${allowed ? 'may' : 'may not'} ${operation}`, act);

        await cell('find', reads, async () => {
          assert.deepEqual(ids(await store.find().toPromise()), reads ? Object.values(targets).sort() : []);
        });
        await cell('count', reads, async () => {
          assert.equal(await store.count().toPromise(), reads ? Object.keys(targets).length : 0);
        });
        await cell('findById', reads, async () => {
          if (reads) assert.deepEqual(await store.findById(id).toPromise(), await truth.findById(id).toPromise());
          else await denied(kinvey, store.findById(id));
        });
        await cell('update', writes, async () => {
          const { _acl } = await truth.findById(id).toPromise();
          if (writes) assert.equal((await store.update({ _id: id, value: 'new' })).value, 'new');
          else await denied(kinvey, store.update({ _id: id, value: 'new' }));
          const after = await truth.findById(id).toPromise();
          assert.deepEqual([after.value, after._acl], [writes ? 'new' : 'old', _acl]);
        });
        await cell('remove', writes, async () => {
          if (writes) {
            assert.deepEqual(await store.removeById(id), { count: 1 });
            delete targets[who];
            await rejectedAs(root, truth.findById(id), 'NotFoundError', 404);
          } else {
            await denied(kinvey, store.removeById(id));
            assert.equal((await truth.findById(id).toPromise())._id, id);
          }
        });
      }
    }
  }
});
