<?php
// Which keys there are is in a file that the test rewrites: {"now": "a", "next": "b"}.
$keys = json_decode(file_get_contents(getenv('IDP_DIR') . '/keys.json'), true);
$metadata['https://idp.test/entity'] = [
    'host' => '__DEFAULT__',
    'auth' => 'users',
    'privatekey' => $keys['now'] . '.key',
    'certificate' => $keys['now'] . '.crt',
    'NameIDFormat' => [
        'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
        'urn:oasis:names:tc:SAML:2.0:nameid-format:transient',
    ],
    'authproc' => [
        10 => ['class' => 'saml:PersistentNameID', 'attribute' => 'uid'],
        11 => ['class' => 'saml:TransientNameID'],
        20 => [
            'class' => 'core:PHP',
            'code' => 'if ($attributes["uid"] === ["mallory"]) { \SimpleSAML\Auth\State::throwException($state, '
                . 'new \SimpleSAML\Module\saml\Error(\SAML2\Constants::STATUS_RESPONDER, \SAML2\Constants::STATUS_REQUEST_DENIED, "not you")); }',
        ],
    ],
] + (isset($keys['next']) ? ['new_privatekey' => $keys['next'] . '.key', 'new_certificate' => $keys['next'] . '.crt'] : []);
