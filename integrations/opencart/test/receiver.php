<?php
/** A gateway's address for `try.sh`: keeps what it is sent, as files, and answers what the file `answer` says (200). */
$body = file_get_contents('php://input');
$n = count(glob('event-*.json')) + 1;
file_put_contents(sprintf('event-%03d.json', $n), json_encode(['signature' => $_SERVER['HTTP_X_CROSSDOCK_SIGNATURE'] ?? '', 'body' => $body]));
http_response_code(is_file('answer') ? (int)file_get_contents('answer') : 200);
