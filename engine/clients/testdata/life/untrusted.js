'use strict';
// Without NODE_EXTRA_CA_CERTS the certificate of the server is not trusted: what
// the other scripts do over TLS, they do because of it.

const life = require('./lifecycle');

life.run(async () => {
  await life.check('a certificate of an unknown authority is refused', async () => {
    const error = await fetch(`${life.url}/appdata`).then(() => undefined, reason => reason);
    life.assert(error, 'the request was answered');
    life.assert.match(String(error.cause && error.cause.code), /UNABLE_TO_VERIFY|SELF_SIGNED|UNABLE_TO_GET_ISSUER/);
  });
});
