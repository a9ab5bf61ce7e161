'use strict';
// An app with people, groups, permissions and 100,000 records, as an operator meets it.

const { cli, kid, load, logIn, setGroup, signUp } = require('./console');

const people = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank', 'grace', 'heidi', 'ivan', 'judy', 'mallory', 'niaj', 'olivia', 'peggy', 'rupert', 'sybil', 'trent', 'victor', 'walter', 'wendy'];
const cities = ['Amsterdam', 'Berlin', 'Copenhagen', 'Dublin', 'Edinburgh', 'Florence', 'Ghent', 'Hamburg'];
const states = ['open', 'paid', 'packed', 'sent', 'returned'];
const count = 100_000;

// make fills the app, with a number of orders, and answers the ids of its users by their names.
async function make(size = count) {
  const id = {};
  for (const name of people) id[name] = (await signUp(name, { email: `${name}@example.com` }))._id;
  await setGroup('emea', [id.alice, id.bob]);
  await setGroup('sales', [id.carol], ['emea']);
  await setGroup('staff', [id.dave], ['sales']);
  await setGroup('everyone', [], [], true);
  await setGroup('nobody', []);
  const at = n => new Date(Date.UTC(2026, 0, 1) + n * 137_000).toISOString();
  load('orders', 'shared', Array.from({ length: size }, (_, n) => ({
    _id: `order-${String(n).padStart(6, '0')}`,
    customer: `${cities[n % cities.length]} ${n % 997}`, amount: ((n * 7919) % 100_000) / 100, status: states[(n * 13) % states.length],
    placed: at(n), lines: [{ sku: `S-${n % 311}`, pieces: 1 + n % 5 }], express: n % 3 === 0, note: n % 10 === 0 ? 'Leave it with the neighbours if nobody is at home' : null,
    _acl: {
      creator: id[people[n % people.length]],
      ...(n % 1000 === 7 ? { gr: false, r: [id.bob, id.carol], groups: { r: ['sales', 'staff'] } } : {}),
      ...(n % 1000 === 11 ? { gw: true } : {}), ...(n % 1000 === 13 ? { w: [id.dave], groups: { w: ['emea'] } } : {}),
    },
    _kmd: { ect: at(n), lmt: at(n) },
  })));
  load('watchlist', 'private', [
    { _id: 'w1', title: 'Alice keeps this to herself', _acl: { creator: id.alice } },
    { _id: 'w2', title: 'For Bob, too', _acl: { creator: id.alice, r: [id.bob] } },
    { _id: 'w3', title: 'For a group that is gone', _acl: { creator: id.bob, groups: { r: ['gone'] } } },
    { _id: 'w4', title: 'For a user who is gone', _acl: { creator: id.bob, w: ['5f0000000000000000000000'] } },
  ]);
  load('deals', 'read-only', [{ _id: 'd1', title: 'Two for one', until: at(0), _acl: { creator: id.alice } }]);
  load('notes', 'full', [{ _id: 'n1', text: 'Anybody may change this', _acl: { creator: id.carol } }]);
  cli(['collection', 'create', kid, 'drafts']);
  const token = {};
  for (const [name, device] of [
    ['alice', 'Mozilla/5.0 (iPhone; CPU iPhone OS 19_2 like Mac OS X) AcmeOrders/4.2'], ['alice', 'AcmeOrders/4.1 (Android 16; Pixel 9)'],
    ['bob', 'AcmeOrders/4.2 (Android 16; SM-S931B)'], ['carol', 'kinvey-node-sdk/3.12.5'], ['erin', 'curl/8.14.1'],
  ]) token[`${name} ${device}`] = (await logIn(name, device))._kmd.authtoken;
  cli(['user', 'suspend', kid, 'mallory']);
  return { id, token };
}

module.exports = { count, make };
