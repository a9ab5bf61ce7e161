'use strict';
// What the scripts share: instances of the SDK, checks, and a few requests that
// the SDK has no method for.

const { assert, check, run } = require('../install/checks');

const settings = {
  appKey: 'kid_dev',
  appSecret: 'a0000000000000000000000000000001',
  apiHostname: process.env.POSTERN_URL,
  micHostname: process.env.POSTERN_URL,
};
const masterSecret = 'b0000000000000000000000000000002';
const denial = 'The credentials used to authenticate this request are not authorized to run this operation.' +
  ' Please retry your request with appropriate credentials.';

// sdk loads one more instance of the package. The package keeps its client, and
// so the active user, in module scope: one instance is one program of one user.
function sdk(more) {
  delete require.cache[require.resolve('kinvey-node-sdk')];
  const kinvey = require('kinvey-node-sdk');
  kinvey.init(Object.assign({}, settings, more));
  kinvey.Log.disableAll();
  return kinvey;
}

const master = () => sdk({ masterSecret });

async function signedIn(name, password = name) {
  const kinvey = sdk();
  const user = await kinvey.User.login(name, password);
  return Object.assign(kinvey, { id: user._id });
}

const network = (kinvey, collection) => kinvey.DataStore.collection(collection, kinvey.DataStoreType.Network);

// rest sends what the SDK has no method for (groups, levels, user records)
// through the SDK's own request class, as its official tests do.
const rest = (kinvey, method, pathname, body, authType = kinvey.AuthType.Default) =>
  kinvey.KinveyRequest.execute({ method, pathname, body, authType });

// setLevel changes the level of a collection as the management console does.
const setLevel = (root, collection, permissions) =>
  rest(root, 'PUT', `/v4/environments/kid_dev/collections/${collection}`, { permissions });

const setGroup = (kinvey, id, users, more) =>
  rest(kinvey, 'PUT', `/group/kid_dev/${id}`, Object.assign({
    _id: id,
    users: { all: false, list: users.map(user => ({ _type: 'KinveyRef', _collection: 'user', _id: user })) },
  }, more));

// rejects demands that the promise fails with this class of the SDK, under its
// own name: the SDK maps errors that it does not know by their status alone.
async function rejects(promise, Class, code) {
  let value;
  try {
    value = await (promise.toPromise ? promise.toPromise() : promise);
  } catch (error) {
    assert(error instanceof Class, `failed with ${error && error.name} (${error && error.message}, ${error && error.debug}); want ${new Class().name}`);
    if (code !== undefined) assert.equal(error.code, code);
    return error;
  }
  return assert.fail(`succeeded with ${JSON.stringify(value)}; want ${new Class().name}`);
}

async function denied(kinvey, promise) {
  const error = await rejects(promise, kinvey.InsufficientCredentialsError, 401);
  assert.equal(error.message, denial);
  assert(kinvey.User.getActiveUser(), 'the SDK lost its session');
}

async function rejectedAs(kinvey, promise, name, code) {
  const error = await rejects(promise, kinvey[name], code);
  assert.equal(error.name, name);
  return error;
}

const ids = entities => entities.map(entity => entity._id).sort();

module.exports = {
  assert, check, denied, ids, master, network, rejectedAs, rejects, rest, run, sdk, setGroup, setLevel, signedIn,
};
