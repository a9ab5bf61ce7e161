<?php
// The users are in a file that the test rewrites: {"alice:password": {"uid": ["alice"], ...}}.
$config = [
    'users' => ['exampleauth:UserPass'] + json_decode(file_get_contents(getenv('IDP_DIR') . '/users.json'), true),
];
