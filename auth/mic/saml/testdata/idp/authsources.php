<?php
$config = [
    'users' => [
        'exampleauth:UserPass',
        'alice:wonder-1' => ['uid' => ['alice'], 'mail' => ['alice@example.com'], 'displayName' => ['Alice Müller & <Sons>'], 'groups' => ['staff', 'admins']],
        'bob:wonder-2' => ['uid' => ['bob'], 'groups' => []],
        // The provider knows the password and lets nobody in all the same.
        'mallory:wonder-3' => ['uid' => ['mallory']],
    ],
];
