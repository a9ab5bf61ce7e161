'use strict';
// The life of a user: sign-up, sessions, the own record, discovery, removal.

const {
  assert, check, denied, master, network, rejectedAs, rest, run, sdk, signedIn,
} = require('./harness');

const token = kinvey => kinvey.User.getActiveUser().authtoken;
const works = kinvey => network(kinvey, 'deals').find().toPromise();

// resumed is a program that still holds the session of an earlier one.
function resumed(data) {
  const kinvey = sdk();
  kinvey.client().setActiveUser(data);
  return kinvey;
}

async function dead(data) {
  const kinvey = resumed(data);
  await rejectedAs(kinvey, works(kinvey), 'InvalidCredentialsError', 401);
  assert.equal(kinvey.User.getActiveUser(), null, 'the SDK forgets a dead session');
}

run(async () => {
  const root = master();

  await check('ping with the app secret', async () => {
    const answer = await sdk().ping();
    assert.equal(typeof answer.version, 'string');
    assert.match(answer.kinvey, /hello/i);
    assert.equal(typeof answer.appName, 'string');
    assert.equal(typeof answer.environmentName, 'string');
  });
  await check('ping with the master secret', () => root.ping());
  await check('ping with a session', async () => (await signedIn('alice')).ping());
  await check('an unknown app key is not found', () => {
    const kinvey = sdk({ appKey: 'kid_none' });
    return rejectedAs(kinvey, kinvey.ping(), 'NotFoundError', 404);
  });
  await check('a wrong app secret is refused', () => {
    const kinvey = sdk({ appSecret: 'a'.repeat(32) });
    return rejectedAs(kinvey, kinvey.ping(), 'InvalidCredentialsError', 401);
  });

  // Sign-up.
  const dora = sdk();
  await check('sign up with names and fields', async () => {
    const user = await dora.User.signup({ username: 'dora', password: 'dora-1', email: 'dora@example.org', first_name: 'Dora', pets: ['cat'] });
    assert.equal(user.isActive(), true);
    assert.equal(user.username, 'dora');
    assert.equal(user.email, 'dora@example.org');
    assert.deepEqual(user.data.pets, ['cat']);
    assert.match(user._id, /^[0-9a-f]{24}$/);
    assert.deepEqual(user.data._acl, { creator: user._id });
    assert.equal(user.data._kmd.ect, user.data._kmd.lmt);
    assert.equal(typeof user.authtoken, 'string');
  });
  await check('the sign-up is a session', () => works(dora));
  await check('a taken name is UserAlreadyExists', () => {
    const kinvey = sdk();
    return rejectedAs(kinvey, kinvey.User.signup({ username: 'dora', password: 'other-1' }), 'UserAlreadyExistsError', 409);
  });
  await check('a refused sign-up leaves the old password in force', () => signedIn('dora', 'dora-1'));
  await check('sign up without a body generates name and password', async () => {
    const user = await sdk().User.signup();
    assert(user.username && user.data.password, JSON.stringify(user.data));
    await signedIn(user.username, user.data.password);
  });
  await check('sign up with a null password generates one', async () => {
    const user = await sdk().User.signup({ username: 'nora', password: null });
    assert.equal(user.username, 'nora');
    await signedIn('nora', user.data.password);
  });
  await check('sign up without becoming active', async () => {
    const kinvey = sdk();
    const user = await kinvey.User.signup({ username: 'quiet', password: 'quiet-1' }, { state: false });
    assert.equal(user.username, 'quiet');
    assert.equal(kinvey.User.getActiveUser(), null);
  });
  await check('the id of a user is the server\'s choice', async () => {
    const user = await sdk().User.signup({ username: 'picky', password: 'picky-1', _id: 'mine', _acl: { creator: 'mine' } });
    assert.match(user._id, /^[0-9a-f]{24}$/);
    assert.equal(user._acl.creator, user._id);
  });
  await check('a user from the development data logs in', () => signedIn('carol'));

  // Log-in and log-out.
  await check('a wrong password is InvalidCredentials', async () => {
    const kinvey = sdk();
    const error = await rejectedAs(kinvey, kinvey.User.login('dora', 'wrong'), 'InvalidCredentialsError', 401);
    assert.equal(error.message, 'Invalid credentials. Please retry your request with correct credentials.');
    await kinvey.User.login('dora', 'dora-1');
    await works(kinvey);
  });
  await check('an unknown name answers like a wrong password', async () => {
    const kinvey = sdk();
    const unknown = await rejectedAs(kinvey, kinvey.User.login('nobody', 'wrong'), 'InvalidCredentialsError', 401);
    const wrong = await rejectedAs(kinvey, kinvey.User.login('dora', 'wrong'), 'InvalidCredentialsError', 401);
    assert.deepEqual([unknown.message, unknown.debug], [wrong.message, wrong.debug]);
  });
  await check('wrong passwords elsewhere end no session', () => works(dora));
  await check('log in answers with the record, a token and the time, never the password', async () => {
    const kinvey = sdk();
    const user = await kinvey.User.login({ username: 'dora', password: 'dora-1' });
    assert.deepEqual(user.data.pets, ['cat']);
    assert.equal('password' in user.data, false);
    assert.equal('mfaRequired' in user.data, false);
    for (const member of ['ect', 'lmt', 'llt', 'authtoken']) assert.equal(typeof user.data._kmd[member], 'string', member);
    assert.notEqual(user.authtoken, token(dora));
  });
  await check('a second log-in in one program is refused by the SDK and harmless', async () => {
    await rejectedAs(dora, dora.User.login('alice', 'alice'), 'ActiveUserError');
    await works(dora);
  });
  await check('log out ends the session presented', async () => {
    const kinvey = await signedIn('dora', 'dora-1');
    const old = kinvey.client().getActiveUser();
    await kinvey.User.logout();
    assert.equal(kinvey.User.getActiveUser(), null);
    await dead(old);
  });
  await check('log out ends no other session of the user', () => works(dora));
  await check('after log out the SDK has no user to act as', async () => {
    const kinvey = await signedIn('dora', 'dora-1');
    await kinvey.User.logout();
    await rejectedAs(kinvey, works(kinvey), 'NoActiveUserError');
    await kinvey.User.login('dora', 'dora-1');
    await works(kinvey);
  });
  await check('an invented token is refused', () =>
    dead({ _id: 'x', _kmd: { authtoken: '0a8368d7-cbb8-473d-8fec-a1f7f50b764b.X0KQYoRCFEdyBW9WIP/RpzYBrmyraGA5u9cEHprUGk8=' } }));

  // The own record.
  await check('me answers with the record and the token presented', async () => {
    const before = token(dora);
    const user = await dora.User.me();
    assert.equal(user.username, 'dora');
    assert.equal('password' in user.data, false);
    assert.equal(token(dora), before);
    await works(dora);
  });
  await check('update stores fields and keeps the session', async () => {
    const user = await dora.User.update({ city: 'Ghent', address: { zip: '9000' } });
    assert.equal(user.data.city, 'Ghent');
    assert.equal('password' in user.data, false);
    await works(dora);
    const me = await dora.User.me();
    assert.deepEqual([me.data.city, me.data.address, me.data.pets], ['Ghent', { zip: '9000' }, ['cat']]);
    assert(me.data._kmd.lmt > me.data._kmd.ect);
  });
  await check('fields left out of an update are gone', async () => {
    const user = dora.User.getActiveUser();
    delete user.data.city;
    await user.update({});
    const me = await dora.User.me();
    assert.equal('city' in me.data, false);
    assert.deepEqual(me.data.pets, ['cat']);
  });
  const doraId = dora.User.getActiveUser()._id;
  await check('a token sent back with the record is not stored', async () => {
    const record = await rest(root, 'GET', `/user/kid_dev/${doraId}`);
    assert.equal(record.username, 'dora');
    assert.equal('authtoken' in record._kmd, false);
    assert.equal('password' in record, false);
  });
  await check('nobody changes the creator of his record', async () => {
    const user = dora.User.getActiveUser();
    await user.update({ _acl: { creator: 'somebody' } });
    assert.equal((await dora.User.me())._acl.creator, doraId);
  });
  await check('a taken name refuses the update and keeps the session', async () => {
    await rejectedAs(dora, dora.User.update({ username: 'alice' }), 'UserAlreadyExistsError', 409);
    assert.equal((await dora.User.me()).username, 'dora');
  });
  await check('a new name is in force at once', async () => {
    await dora.User.update({ username: 'dorothy' });
    await works(dora);
    await signedIn('dorothy', 'dora-1');
    const kinvey = sdk();
    await rejectedAs(kinvey, kinvey.User.login('dora', 'dora-1'), 'InvalidCredentialsError', 401);
    await dora.User.update({ username: 'dora' });
  });
  const before = dora.client().getActiveUser();
  const elsewhere = await signedIn('dora', 'dora-1');
  await check('a new password answers with a new token, and it works', async () => {
    await dora.User.update({ password: 'dora-2' });
    assert.notEqual(token(dora), before._kmd.authtoken);
    await works(dora);
    assert.equal((await dora.User.me()).username, 'dora');
  });
  await check('the token from before the new password is dead', () => dead(before));
  await check('so are the other sessions of the user', () =>
    rejectedAs(elsewhere, works(elsewhere), 'InvalidCredentialsError', 401));
  await check('the old password is dead', () => {
    const kinvey = sdk();
    return rejectedAs(kinvey, kinvey.User.login('dora', 'dora-1'), 'InvalidCredentialsError', 401);
  });
  await check('the new password logs in', () => signedIn('dora', 'dora-2'));

  // Other people.
  const alice = await signedIn('alice');
  await check('a user reads another\'s record, without secrets', async () => {
    const record = await rest(alice, 'GET', `/user/kid_dev/${doraId}`);
    assert.equal(record.username, 'dora');
    assert.equal('password' in record, false);
    assert.equal('authtoken' in record._kmd, false);
  });
  await check('a user that does not exist is not found', async () => {
    const error = await rejectedAs(alice, rest(alice, 'GET', '/user/kid_dev/000000000000000000000000'), 'NotFoundError', 404);
    assert.equal(error.message, 'This user does not exist for this app backend.');
  });
  await check('a user cannot change another\'s record', async () => {
    await denied(alice, rest(alice, 'PUT', `/user/kid_dev/${doraId}`, { username: 'stolen' }));
    await works(alice);
    assert.equal((await dora.User.me()).username, 'dora');
  });
  await check('a user cannot remove another', async () => {
    await denied(alice, alice.User.remove(doraId));
    await works(dora);
  });
  await check('lookup by name answers with what is public', async () => {
    const found = await alice.User.lookup(new alice.Query().equalTo('username', 'bob')).toPromise();
    assert.equal(found.length, 1);
    assert.deepEqual(Object.keys(found[0]).sort().filter(key => key !== '_acl'), ['_id', 'username']);
  });
  await check('lookup by e-mail address', async () => {
    const found = await alice.User.lookup(new alice.Query().equalTo('email', 'dora@example.org')).toPromise();
    assert.deepEqual(found.map(user => [user._id, user.username, user.first_name]), [[doraId, 'dora', 'Dora']]);
  });
  await check('lookup of several names', async () => {
    const found = await alice.User.lookup(new alice.Query().contains('username', ['bob', 'carol', 'nobody'])).toPromise();
    assert.deepEqual(found.map(user => user.username).sort(), ['bob', 'carol']);
  });
  await check('lookup without a match is empty', async () => {
    assert.deepEqual(await alice.User.lookup(new alice.Query().equalTo('username', 'nobody')).toPromise(), []);
  });
  await check('lookup does not search private fields', () =>
    rejectedAs(alice, alice.User.lookup(new alice.Query().equalTo('pets', 'cat')), 'InvalidQuerySyntaxError', 400));
  await check('exists', async () => {
    assert.equal(await sdk().User.exists('alice'), true);
    assert.equal(await alice.User.exists('nobody'), false);
  });
  await check('reset of a password resolves, for a name, an address and a stranger', async () => {
    const kinvey = sdk();
    await kinvey.User.resetPassword('dora');
    await kinvey.User.resetPassword('dora@example.org');
    await kinvey.User.resetPassword('nobody');
    await signedIn('dora', 'dora-2');
  });
  await check('verification of an address resolves', async () => {
    await dora.User.verifyEmail('dora');
    assert.equal((await dora.User.me()).isEmailVerified(), false);
  });
  await check('a custom endpoint that does not exist is not found', () =>
    rejectedAs(alice, alice.CustomEndpoint.execute('none', { a: 1 }), 'NotFoundError', 404));

  // Removal.
  const victim = sdk();
  const victimId = (await victim.User.signup({ username: 'victim', password: 'victim-1' }))._id;
  const session = victim.client().getActiveUser();
  await check('a user suspends himself', () => victim.User.remove(victimId));
  await check('a suspended user cannot use his session', () => dead(session));
  await check('a suspended user cannot log in', () => {
    const kinvey = sdk();
    return rejectedAs(kinvey, kinvey.User.login('victim', 'victim-1'), 'InvalidCredentialsError', 401);
  });
  await check('a suspended user keeps his name', async () => {
    assert.equal(await alice.User.exists('victim'), true);
    const kinvey = sdk();
    await rejectedAs(kinvey, kinvey.User.signup({ username: 'victim', password: 'other-1' }), 'UserAlreadyExistsError', 409);
  });
  await check('a suspended user is not discovered', async () => {
    assert.deepEqual(await alice.User.lookup(new alice.Query().equalTo('username', 'victim')).toPromise(), []);
  });
  await check('a master removes a user for good, and the name is free', async () => {
    await root.User.remove(victimId, { hard: true });
    assert.equal(await alice.User.exists('victim'), false);
    await rejectedAs(root, rest(root, 'GET', `/user/kid_dev/${victimId}`), 'NotFoundError', 404);
    const kinvey = sdk();
    assert.notEqual((await kinvey.User.signup({ username: 'victim', password: 'other-1' }))._id, victimId);
  });
  await check('removal of nobody is not found', () =>
    rejectedAs(root, root.User.remove('000000000000000000000000'), 'NotFoundError', 404));
});
