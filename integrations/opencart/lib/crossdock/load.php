<?php
/**
 * What both versions of the extension share: no class of OpenCart is named in this folder but its database object
 * (`query`, `escape`, `countAffected`), so that the same files run in OpenCart 3 and 4 and in the tests.
 */
require_once __DIR__ . '/signature.php';
require_once __DIR__ . '/tables.php';
require_once __DIR__ . '/orders.php';
require_once __DIR__ . '/stock.php';
require_once __DIR__ . '/history.php';
require_once __DIR__ . '/outbox.php';
require_once __DIR__ . '/api.php';
require_once __DIR__ . '/shop.php';
