<?php
// The identity provider of the end-to-end tests: SimpleSAMLphp of the distribution,
// served by php itself on loopback. IDP_DIR is the test's directory, IDP_BASE the
// address.
$dir = getenv('IDP_DIR');
$config = [
    'baseurlpath' => getenv('IDP_BASE'),
    'certdir' => "$dir/",
    'loggingdir' => "$dir/",
    'datadir' => "$dir/",
    'tempdir' => "$dir/tmp",
    'metadatadir' => "$dir/",
    'secretsalt' => getenv('IDP_SALT'),
    'auth.adminpassword' => getenv('IDP_SALT'),
    'technicalcontact_email' => 'nobody@example.com',
    'timezone' => 'UTC',
    'debug' => ['saml' => false, 'backtraces' => true, 'validatexml' => false],
    'showerrors' => true,
    'errorreporting' => false,
    'logging.level' => SimpleSAML\Logger::ERR,
    'logging.handler' => 'errorlog',
    'enable.saml20-idp' => true,
    'module.enable' => ['core' => true, 'saml' => true, 'exampleauth' => true],
    'store.type' => 'phpsession',
    'session.phpsession.savepath' => "$dir/tmp",
    'session.phpsession.cookiename' => 'idp',
    'session.cookie.secure' => false,
    'session.cookie.samesite' => null,
    'metadata.sources' => array_merge(
        [['type' => 'flatfile', 'directory' => __DIR__]],
        // The service providers are known by the metadata that they publish.
        array_map(fn($f) => ['type' => 'xml', 'file' => $f], glob("$dir/sp-*.xml"))
    ),
];
