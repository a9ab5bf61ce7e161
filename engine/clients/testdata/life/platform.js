'use strict';
// What a platform supplies to kinvey-js-sdk 7: how requests are sent, and where
// sessions and copies are kept. The SDK's hosts are fixed to
// https://<instance>-baas.kinvey.com and <instance>-auth.kinvey.com. Requests go by
// node's https to the very URL that it makes; only the name lookup and the port are
// the test's, as a hosts file and a listener on 443 would have them. The
// certificate is verified for the SDK's host.

const http = require('node:http');
const https = require('node:https');
const life = require('./lifecycle');

const instanceId = 'acme';
const { port, origin } = new URL(life.url);
// Where the server speaks no TLS itself, something before it would.
const front = life.url.startsWith('http:');
const agents = { 'http:': new http.Agent({ keepAlive: true }), 'https:': new https.Agent({ keepAlive: true }) };
const hosts = new Set(); // that were asked
const requests = []; // with their answers' status

const lookup = (name, options, done) => (options.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4));

// reached is a URL as it is reached here.
const reached = url => (front ? url.replace(/^https:\/\/[a-z-]+\.kinvey\.com(?=\/|$)/, origin) : url);

// send is one request, and no other: redirects are answers.
const send = request => new Promise((resolve, reject) => {
  const target = new URL(reached(request.url));
  const ofSDK = target.hostname.endsWith('.kinvey.com');
  hosts.add(target.host);
  const library = target.protocol === 'https:' ? https : http;
  const sent = library.request(target, Object.assign({
    agent: agents[target.protocol], method: request.method, timeout: request.timeout, setHost: false,
    headers: Object.assign({ Host: target.host }, request.headers),
  }, ofSDK && { port, lookup }), (answer) => {
    const parts = [];
    answer.on('data', part => parts.push(part));
    requests.push(`${request.method} ${target.pathname} ${answer.statusCode}`);
    answer.on('end', () => resolve({ statusCode: answer.statusCode, headers: answer.headers, data: Buffer.concat(parts).toString() }));
    answer.on('error', reject);
  });
  sent.on('error', reject);
  sent.end(request.body);
});

// What a platform keeps in a database is kept in maps.
function storageAdapter() {
  const kept = new Map();
  const at = (db, collection) => {
    const key = `${db}/${collection}`;
    if (!kept.has(key)) kept.set(key, new Map());
    return kept.get(key);
  };
  return {
    find: async (db, c) => [...at(db, c).values()],
    count: async (db, c) => at(db, c).size,
    findById: async (db, c, id) => at(db, c).get(id),
    save: async (db, c, docs) => { docs.forEach(doc => at(db, c).set(doc._id, doc)); return docs; },
    removeById: async (db, c, id) => Number(at(db, c).delete(id)),
    removeManyById: async (db, c, ids) => ids.map(id => Number(at(db, c).delete(id))).reduce((a, b) => a + b, 0),
    clear: async (db, c) => { at(db, c).clear(); return true; },
    clearDatabase: async () => { kept.clear(); return true; },
  };
}

// load is one more instance of the SDK: one program of one user. popup is what
// opens windows on the platform.
function load(more, popup) {
  life.unload();
  const kinvey = require('kinvey-js-sdk');
  const session = new Map();
  kinvey.init({
    kinveyConfig: Object.assign({ appKey: life.kid, appSecret: life.appSecret, instanceId }, more),
    httpAdapter: { send },
    sessionStore: { get: async key => session.get(key), set: async (key, value) => { session.set(key, value); return true; }, remove: async key => session.delete(key) },
    storageAdapter: storageAdapter(),
    popup,
  });
  kinvey.logger.disableAll();
  return kinvey;
}

const close = () => Object.values(agents).forEach(agent => agent.destroy());

module.exports = { close, hosts, instanceId, load, reached, requests, send };
