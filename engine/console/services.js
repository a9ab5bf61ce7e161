// What an auth service has, by the kind of its provider, and how a form reads and
// writes it. What a form does not know stays as it is.

/**
 * @typedef {object} Field
 * @property {string} at      where it is in the service, such as "provider.options.issuer"
 * @property {string} label
 * @property {'text' | 'lines' | 'words' | 'number' | 'flag' | 'secret' | 'area' | 'choice' | 'map'} kind
 * @property {string} [hint]
 * @property {string} [example]
 * @property {boolean} [required]
 * @property {[string, string][]} [choices] value and words
 * @property {string} [account]  member of provider.authentication that stands for it where there is one
 * @property {number} [usual]    of a number
 */

/** The kinds of provider, each with what it is. @type {[string, string, string][]} */
export const kinds = [
  ['OIDC', 'OpenID Connect', 'Keycloak, Entra ID, Google, Okta, Authelia, …'],
  ['OAuth2', 'OAuth 2.0', 'a provider that has no id tokens'],
  ['SAML-Redirect', 'SAML 2.0', 'ADFS, Shibboleth, SimpleSAMLphp, …'],
  ['LDAP', 'LDAP', 'a directory; people type their password into a page of this server'],
  ['AD', 'Active Directory', 'a domain; people type their password into a page of this server'],
  ['local', 'Users of the app', 'no provider: the app’s own users log in by MIC'],
];

/** @param {string} type */
export function kindName(type) { return kinds.find((k) => k[0] === type)?.[1] ?? type; }

const o = 'provider.options.';

/** @type {Field[]} */
const attributes = [{ at: `${o}attributes`, label: 'Attributes to take', kind: 'words', example: 'name email', hint: 'Names, with blanks between them.' }];

/** @type {Field[]} */
const client = [
  { at: `${o}clientId`, label: 'Client id', kind: 'text', required: true, account: 'username' },
  { at: `${o}clientSecret`, label: 'Client secret', kind: 'secret', account: 'password', hint: 'Empty for a public client.' },
  { at: `${o}authMethod`, label: 'The secret is shown', kind: 'choice', choices: [['', 'as usual'], ['client_secret_basic', 'in the Authorization header'], ['client_secret_post', 'in the body'], ['none', 'not at all']] },
  { at: `${o}scopes`, label: 'Scopes', kind: 'words', example: 'profile email offline_access', hint: 'Many providers give refresh tokens for offline_access only.' },
];

/** @type {Field[]} */
const directory = [
  { at: `${o}url`, label: 'Servers', kind: 'lines', required: true, example: 'ldaps://ldap.example.org', hint: 'One a line, tried in this order.' },
  { at: `${o}startTLS`, label: 'StartTLS on ldap://', kind: 'flag' },
  { at: `${o}allowPlain`, label: 'Passwords may cross the network in plain text', kind: 'flag', hint: 'Leave this off unless the network is yours alone.' },
  { at: `${o}caCertificates`, label: 'Certificates that vouch for the servers', kind: 'area', example: '-----BEGIN CERTIFICATE-----', hint: 'PEM. Empty: those that the system trusts.' },
  { at: `${o}bindDn`, label: 'Service account', kind: 'text', account: 'username', example: 'cn=postern,ou=services,dc=example,dc=org' },
  { at: `${o}bindPassword`, label: 'Its password', kind: 'secret', account: 'password' },
  { at: `${o}baseDn`, label: 'People are below', kind: 'text', example: 'ou=people,dc=example,dc=org' },
  { at: `${o}userFilter`, label: 'Filter for a name', kind: 'text', example: '(&(objectClass=inetOrgPerson)(uid={username}))' },
];

/** @type {Field[]} */
const directoryGroups = [
  { at: `${o}noGroups`, label: 'Leave groups alone', kind: 'flag' },
  { at: `${o}groupBaseDn`, label: 'Groups are below', kind: 'text', example: 'ou=groups,dc=example,dc=org' },
  { at: `${o}groupFilter`, label: 'Filter for groups', kind: 'text', example: '(member={dn})' },
  { at: `${o}groupsByMemberOf`, label: 'Read memberOf instead of searching', kind: 'flag' },
  { at: `${o}nestedGroups`, label: 'Count groups inside groups', kind: 'flag' },
];

/** The fields of each kind of provider. @type {Record<string, Field[]>} */
export const providerFields = {
  OIDC: [
    { at: `${o}issuer`, label: 'Issuer', kind: 'text', required: true, example: 'https://login.example.org/realms/main', hint: 'Byte for byte as in its discovery document.' },
    ...client,
    { at: `${o}groupsClaim`, label: 'Claim with the groups', kind: 'text', example: 'groups', hint: 'Or a path such as realm_access.roles.' },
    { at: `${o}subjectClaim`, label: 'Claim that is the person', kind: 'text', example: 'sub', hint: 'One that is never given to somebody else.' },
    { at: `${o}userInfo`, label: 'Read the user info endpoint, too', kind: 'flag' },
    ...attributes,
  ],
  OAuth2: [
    { at: `${o}grantEndpoint`, label: 'Authorization endpoint', kind: 'text', required: true, example: 'https://login.example.org/authorize' },
    { at: `${o}tokenEndpoint`, label: 'Token endpoint', kind: 'text', required: true, example: 'https://login.example.org/token' },
    { at: `${o}userIdEndpoint`, label: 'Endpoint that tells who it is', kind: 'text', required: true, example: 'https://login.example.org/me' },
    { at: `${o}userIdAttribute`, label: 'Member that is the person', kind: 'text', example: 'id' },
    ...client,
    { at: `${o}groupsClaim`, label: 'Member with the groups', kind: 'text', example: 'groups' },
    ...attributes,
  ],
  'SAML-Redirect': [
    { at: `${o}idpMetadataUrl`, label: 'Address of the provider’s metadata', kind: 'text', example: 'https://idp.example.org/metadata', hint: 'Or paste the metadata, or give the three fields below them.' },
    { at: `${o}idpMetadata`, label: 'Metadata', kind: 'area', example: '<EntityDescriptor …>' },
    { at: `${o}ssoUrl`, label: 'Address for logins', kind: 'text', example: 'https://idp.example.org/sso' },
    { at: `${o}idpIssuer`, label: 'Entity id of the provider', kind: 'text' },
    { at: `${o}idpCertificates`, label: 'Certificate that signs', kind: 'area', example: '-----BEGIN CERTIFICATE-----' },
    { at: `${o}entityId`, label: 'Our entity id', kind: 'text', hint: 'Empty: made from the address of this server.' },
    { at: `${o}subjectAttribute`, label: 'Attribute that is the person', kind: 'text', hint: 'Empty: a persistent NameID.' },
    { at: `${o}groupsAttribute`, label: 'Attribute with the groups', kind: 'text' },
    { at: `${o}signRequests`, label: 'Sign requests', kind: 'flag' },
    { at: `${o}key`, label: 'Key that signs them', kind: 'secret', hint: 'PEM of an RSA key.' },
    { at: `${o}certificate`, label: 'Its certificate', kind: 'area' },
    ...attributes,
  ],
  LDAP: [...directory,
    { at: `${o}userDnTemplate`, label: 'DN of a name', kind: 'text', example: 'uid={username},ou=people,dc=example,dc=org', hint: 'Instead of a search.' },
    ...directoryGroups, ...attributes],
  AD: [{ at: `${o}domain`, label: 'Domain', kind: 'text', example: 'corp.example.com' }, ...directory, ...directoryGroups, ...attributes],
  local: [],
};

/** What every service has. @type {Field[]} */
export const commonFields = [
  { at: 'name', label: 'Name', kind: 'text', required: true },
  { at: 'description', label: 'Description', kind: 'text' },
];

/** @type {Field[]} */
export const tokenFields = [
  { at: 'redirectUri', label: 'Redirect URIs of the apps', kind: 'lines', example: 'myapp://callback', hint: 'One a line. A login ends at one of these and nowhere else.' },
  { at: 'requirePkce', label: 'Apps must use PKCE', kind: 'flag', hint: 'What began a login must prove that it ends it.' },
  { at: 'allowPasswordGrant', label: 'Apps may pass on passwords (password grant)', kind: 'flag' },
  { at: 'allowTemporaryUri', label: 'Apps may log in by a temporary URI', kind: 'flag' },
  { at: 'grantTtl', label: 'A code lives (seconds)', kind: 'number', usual: 10 },
  { at: 'tokenTtl', label: 'An access token lives (seconds)', kind: 'number', usual: 3600 },
  { at: 'refresh', label: 'Refresh tokens', kind: 'flag' },
  { at: 'refreshTtl', label: 'A refresh token lives (seconds)', kind: 'number', usual: 1209600 },
  { at: 'endMicOnLogout', label: 'Logout ends the MIC session, too', kind: 'flag' },
];

/** @type {Field[]} */
export const mappingFields = [
  { at: 'mapping.fields', label: 'Fields of the user', kind: 'map', example: 'email = mail', hint: 'One a line: field = attribute. Set at every login.' },
  { at: 'mapping.groups', label: 'Groups follow the provider', kind: 'choice', choices: [['', 'never'], ['first', 'at the first login'], ['add', 'at every login; nobody leaves'], ['sync', 'at every login, leaving included']] },
  { at: 'mapping.groupNames', label: 'Groups by name', kind: 'map', example: 'CN=Sales = sales', hint: 'One a line: group there = id here, without the prefix.' },
  { at: 'mapping.allGroups', label: 'Take all other groups under their own names', kind: 'flag' },
  { at: 'mapping.groupPrefix', label: 'Ids of these groups begin with', kind: 'text', example: 'idp:' },
];

/** For directories only. @type {Field} */
export const fallbackField = { at: 'localFallback', label: 'The app’s own users may log in while the directory is down', kind: 'flag' };

/** What stands for a secret that is set; sent back it leaves it as it is. */
export const kept = '********';

/** A new service. @param {string} type */
export function blank(type) {
  return {
    name: '', identityStoreId: '', redirectUri: [], grantTtl: 10, tokenTtl: 3600, refresh: true, refreshTtl: 1209600,
    requirePkce: true, provider: { type, options: {} }, mapping: {},
  };
}

/**
 * What a service has at a field.
 * @param {any} service
 * @param {Field} f
 */
export function valueAt(service, f) {
  const v = f.at.split('.').reduce((at, name) => (at === null || at === undefined ? undefined : at[name]), service);
  if (v === undefined && f.account) return service.provider?.authentication?.[f.account];
  return v;
}

/**
 * Sets a field of a service; undefined takes it away.
 * @param {any} service
 * @param {Field} f
 * @param {any} v
 */
export function setAt(service, f, v) {
  const account = service.provider?.authentication;
  if (f.account && account && service.provider.options?.[f.at.slice(o.length)] === undefined) {
    account[f.account] = v ?? '';
    return;
  }
  const names = f.at.split('.');
  const last = /** @type {string} */ (names.pop());
  let at = service;
  for (const name of names) at = at[name] ??= {};
  if (v === undefined) delete at[last];
  else at[last] = v;
}

/**
 * A value as the text of a control.
 * @param {Field} f
 * @param {any} v
 */
export function textOf(f, v) {
  switch (f.kind) {
    case 'lines': return (Array.isArray(v) ? v : v ? [v] : []).join('\n');
    case 'words': return (Array.isArray(v) ? v : v ? [v] : []).join(' ');
    case 'area': return (Array.isArray(v) ? v : v ? [v] : []).join('\n');
    case 'map': return Object.entries(v ?? {}).map(([a, b]) => `${a} = ${b}`).join('\n');
    default: return v === undefined || v === null ? '' : String(v);
  }
}

/**
 * The value that the text of a control means; undefined for none. What cannot be read
 * is an Error with a sentence.
 * @param {Field} f
 * @param {string} text
 */
export function valueOf(f, text) {
  const lines = () => text.split('\n').map((x) => x.trim()).filter((x) => x !== '');
  switch (f.kind) {
    case 'lines': return lines().length || !f.at.startsWith(o) ? lines() : undefined;
    case 'words': return text.trim() === '' ? undefined : text.trim().split(/[\s,]+/);
    case 'area': return text.trim() === '' ? undefined : f.at.endsWith('Certificates') && f.at.includes('idp') ? [text.trim()] : text.trim();
    case 'number': {
      const n = Number(text);
      if (text.trim() === '') return f.usual;
      if (!Number.isInteger(n)) throw new Error(`${f.label}: a whole number is needed.`);
      return n;
    }
    case 'map': {
      /** @type {Record<string, string>} */
      const all = {};
      for (const line of lines()) {
        const at = line.lastIndexOf('=');
        const name = line.slice(0, at).trim();
        const to = line.slice(at + 1).trim();
        if (at < 0 || !name || !to) throw new Error(`${f.label}: “${line}” is not of the form name = name.`);
        all[name] = to;
      }
      return Object.keys(all).length ? all : undefined;
    }
    default: return text.trim() === '' ? undefined : text.trim();
  }
}
