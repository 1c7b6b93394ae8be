<?php
/**
 * What can be tried without a shop: signatures, the shape of orders, refusals, waits. Run by `make test`; the rest is tried in real
 * shops by try.sh. Exits 1 and says what is wrong.
 */
require __DIR__ . '/../lib/crossdock/load.php';
use Crossdock\Api;
use Crossdock\History;
use Crossdock\Orders;
use Crossdock\Outbox;
use Crossdock\Signature;
use Crossdock\Stock;

$failed = 0;
function same($seen, $wanted, string $what) {
	global $failed;
	if ($seen !== $wanted) {
		$failed++;
		echo "FAIL {$what}\n  wanted ", json_encode($wanted), "\n  seen   ", json_encode($seen), "\n";
	}
}

/** A database that answers by patterns, in the order given, and keeps what it was asked. */
final class FakeDb {
	public $asked = [];
	private $answers;
	private $affected;
	public function __construct(array $answers, int $affected = 1) {
		$this->answers = $answers;
		$this->affected = $affected;
	}
	public function query(string $sql) {
		$this->asked[] = preg_replace('/\s+/', ' ', $sql);
		foreach ($this->answers as $pattern => $rows) {
			if (preg_match($pattern, $sql)) {
				return (object)['rows' => $rows, 'row' => $rows[0] ?? [], 'num_rows' => count($rows)];
			}
		}
		return (object)['rows' => [], 'row' => [], 'num_rows' => 0];
	}
	public function escape($text) {
		return addslashes($text);
	}
	public function countAffected() {
		return $this->affected;
	}
	public function asked(string $pattern): int {
		return count(preg_grep($pattern, $this->asked));
	}
}
$config = function ($name) {
	return ['config_processing_status' => ['5', '1', '2', '12', '3'], 'config_complete_status' => ['5', '3'], 'config_language_id' => 1, 'config_currency' => 'EUR', 'config_name' => 'Shop'][$name] ?? null;
};

// The same example as the gateway's own test of the auth kind `sign`.
same(Signature::ofCall('cs_2', 'GET', '/index.php?call=stock&at=10%3A00', '1700000000', '[1]'), 'v1=1ffffceedfd9e084fac35b592789459aaae26d9daaa2879a227dc2f66fe8c90f', 'a call is signed as the gateway signs it');
$signed = Signature::ofCall('secret', 'GET', '/index.php?a=1', '1000', '');
same(Signature::refusal('secret', 'GET', '/index.php?a=1', '1000', $signed, '', 1300), null, 'a good call is believed');
foreach ([
	'another secret' => ['other', 'GET', '/index.php?a=1', '1000', $signed, '', 1000], 'another method' => ['secret', 'POST', '/index.php?a=1', '1000', $signed, '', 1000],
	'another query' => ['secret', 'GET', '/index.php?a=2', '1000', $signed, '', 1000], 'another body' => ['secret', 'GET', '/index.php?a=1', '1000', $signed, '{}', 1000],
	'too old' => ['secret', 'GET', '/index.php?a=1', '1000', $signed, '', 1301], 'from the future' => ['secret', 'GET', '/index.php?a=1', '1000', $signed, '', 699],
	'no signature' => ['secret', 'GET', '/index.php?a=1', '1000', '', '', 1000], 'no moment' => ['secret', 'GET', '/index.php?a=1', '', $signed, '', 1000],
	'no secret yet' => ['', 'GET', '/index.php?a=1', '1000', Signature::ofCall('', 'GET', '/index.php?a=1', '1000', ''), '', 1000],
] as $what => $args) {
	same(is_string(Signature::refusal(...$args)), true, "refused: {$what}");
}
same(Signature::ofEvent('a-made-up-hook-secret', '{}'), 'v1=' . hash_hmac('sha256', '{}', 'a-made-up-hook-secret'), 'an event is signed over its body');

// Moments: the shop's time with its offset, there and back, also in the hour that a clock change doubles.
date_default_timezone_set('Europe/Riga');
same(Orders::iso('2026-03-04 12:25:00'), '2026-03-04T12:25:00+02:00', 'a moment has the shop\'s offset');
same(Orders::iso('2026-07-04 12:25:00'), '2026-07-04T12:25:00+03:00', 'in summer too');
same(Orders::iso('0000-00-00 00:00:00'), null, 'no moment is none');
same(Orders::local('2026-03-04T10:25:00Z'), '2026-03-04 12:25:00', 'what the gateway asks is in the shop\'s time');
same(Orders::local('nonsense'), '1970-01-01 03:00:00', 'what cannot be read is the beginning');
foreach (['2026-10-25 03:30:00', '2026-10-25 02:59:59', '2026-03-29 04:00:00'] as $local) {
	same(Orders::local(Orders::iso($local)), $local, "there and back: {$local}");
}

new Orders(new FakeDb(['/UTC_TIMESTAMP/' => [['seconds' => '-12600']]]), 'oc_', $config);
same([Orders::iso('2026-03-04 12:25:00'), Orders::local('2026-03-04T15:55:00Z')], ['2026-03-04T12:25:00-03:30', '2026-03-04 12:25:00'], 'an old shop\'s database has a clock of its own');

// Shapes of both versions.
$orders = new Orders(new FakeDb([]), 'oc_', $config);
$row = ['order_id' => 18, 'order_status_id' => 3, 'ip' => '203.0.113.1', 'user_agent' => 'x', 'tracking' => 'ad-7', 'total' => '28.0240', 'language' => 'lv-lv', 'date_added' => '2026-03-04 12:20:30', 'date_modified' => '2026-03-04 12:20:30',
	'custom_field' => '{"1":"LV40001"}', 'payment_method' => 'Cash On Delivery', 'payment_code' => 'cod', 'shipping_method' => '{"name":"Courier","code":"flat.flat"}'];
$shaped = $orders->shaped($row, [['quantity' => 2, 'sku' => null]], [], [], [['order_status_id' => '3', 'date_added' => '2026-03-05 09:00:00']]);
same([$shaped['order_id'], $shaped['products'][0]['quantity'], $shaped['products'][0]['sku']], ['18', '2', null], 'numbers are texts, null stays null');
same(isset($shaped['ip']) || isset($shaped['user_agent']) || isset($shaped['tracking']) || isset($shaped['language']), false, 'the browser stays out');
same([$shaped['payment_method'], $shaped['shipping_method'], $shaped['custom_field']], ['Cash On Delivery', ['name' => 'Courier', 'code' => 'flat.flat'], ['1' => 'LV40001']], 'JSON texts are read, other texts stay');
same([$shaped['date_modified'], $shaped['status_set'], $shaped['language_code']], ['2026-03-05T09:00:00+02:00', 'complete', 'lv-lv'], 'the newest history row is the last change');
same([$orders->set('2'), $orders->set('7')], ['processing', ''], 'the two sets');

// Pages.
$db = new FakeDb(['/AS `changed`/' => [['order_id' => '5', 'changed' => '2026-03-04 12:25:00'], ['order_id' => '6', 'changed' => '2026-03-04 12:25:00'], ['order_id' => '7', 'changed' => '2026-03-04 12:26:00']]]);
$page = (new Orders($db, 'oc_', $config))->page('2026-03-04T10:00:00Z', 4, 2, -1);
same($page['next'], ['modified_from' => '2026-03-04T12:25:00+02:00', 'after_id' => 6], 'a full page names its last order');
same($db->asked('/LIMIT 3$/') === 1 && $db->asked("/`changed` = '2026-03-04 12:00:00' AND o.`order_id` > '4'/") === 1 && $db->asked('/store_id/') === 0, true, 'by change and id, one more than asked for');
same((new Orders(new FakeDb([]), 'oc_', $config))->page('', 0, 1000, 2), ['orders' => [], 'next' => null], 'nothing is the end');

// Calls.
$shop = ['secret' => 'secret', 'opencart' => '4.1.0.4', 'config' => $config, 'stock_changed' => function () {
}, 'history' => function () {
	throw new RuntimeException('not to be called');
}];
$call = function (string $method, string $query, string $body = '', array $answers = [], array $changed = []) use ($shop) {
	parse_str($query, $get);
	$target = '/index.php?' . $query;
	$server = ['REQUEST_METHOD' => $method, 'REQUEST_URI' => $target, 'HTTP_X_CROSSDOCK_TIMESTAMP' => '1000', 'HTTP_X_CROSSDOCK_SIGNATURE' => Signature::ofCall('secret', $method, $target, '1000', $body)];
	list($status, $answer) = (new Api(new FakeDb($answers), 'oc_', $shop))->request($changed + $server, $get, $body, 1000);
	return [$status, $answer['error']['code'] ?? null];
};
same($call('GET', 'call=ping', '', [], ['HTTP_X_CROSSDOCK_SIGNATURE' => 'v1=0']), [401, 'signature'], 'an unsigned call is refused');
same($call('GET', 'call=products'), [404, 'call_unknown'], 'an unknown call');
same($call('POST', 'call=orders'), [400, 'body_malformed'], 'a body that is none');
same($call('GET', 'call=order&order_id=9'), [404, 'order_missing'], 'an order that is not there');
same($call('POST', 'call=stock', '{"levels": 1}'), [422, 'levels_invalid'], 'levels that are no list');
same($call('POST', 'call=hook', '{"url": "ftp://x", "secret": "12345678"}'), [422, 'hook_invalid'], 'an address that is none');
same($call('POST', 'call=history', '{"order_id": 1}'), [422, 'idempotency_key_invalid'], 'a command without a key');
same($call('GET', 'call=ping', '', ['/COUNT/' => [['n' => '0']]])[0], 200, 'ping');

// Stock.
$stock = function (array $answers, array $level) {
	$db = new FakeDb($answers);
	$result = (new Stock($db, 'oc_'))->write([$level])[0];
	return [$result['error']['code'] ?? 'ok', $db->asked('/^UPDATE/')];
};
same($stock(["/`sku` = 'A'/" => [['product_id' => '7']]], ['sku' => 'A', 'quantity' => 3]), ['ok', 1], 'by SKU');
same($stock(["/`sku` = 'A'/" => [['product_id' => '7'], ['product_id' => '8']]], ['sku' => 'A', 'quantity' => 3]), ['sku_ambiguous', 0], 'two of one SKU');
same($stock([], ['sku' => 'A', 'quantity' => 3]), ['product_missing', 0], 'a SKU that is nobody\'s');
same($stock([], ['sku' => '', 'quantity' => 3]), ['product_missing', 0], 'no SKU is nobody\'s');
same($stock([], ['sku' => 'A', 'quantity' => '1.5']), ['quantity_invalid', 0], 'half a piece');
same($stock([], ['sku' => 'A']), ['quantity_invalid', 0], 'no quantity is not nothing');

// Commands.
$push = function (array $wish, array $answers, int $affected) use ($config) {
	$db = new FakeDb($answers + ['/SELECT `order_status_id`/' => [['order_status_id' => '2']], '/order_status`/' => [['1' => '1']]], $affected);
	$added = 0;
	list($status, $answer) = (new History($db, 'oc_', new Orders($db, 'oc_', $config), function () use (&$added) {
		$added++;
	}))->push($wish + ['order_id' => 18, 'idempotency_key' => 'k', 'comment' => 'c'], 1000);
	return [$status, $answer['error']['code'] ?? $answer['repeated'], $added];
};
same($push(['order_status_id' => '3'], [], 1), [200, false, 1], 'a new command is done');
same($push(['order_status_id' => '3'], ['/`done`, `since`/' => [['done' => '1', 'since' => '990']]], 0), [200, true, 0], 'a known one is not');
same($push(['order_status_id' => '3'], ['/`done`, `since`/' => [['done' => '0', 'since' => '990']]], 0), [409, 'underway', 0], 'one that is under way is left alone');
same($push(['order_status_id' => '3'], ['/`done`, `since`/' => [['done' => '0', 'since' => '800']], '/order_history/' => [['1' => '1']]], 0), [200, true, 0], 'one that was cut off behind its row is done');
same($push(['order_status_id' => '3'], ['/`done`, `since`/' => [['done' => '0', 'since' => '800']]], 0), [200, false, 1], 'one that was cut off before it is done now');
same($push(['order_status_id' => '7'], [], 1), [422, 'would_restock', 0], 'packed goods are not put back on sale');
same($push(['order_status_id' => '7', 'allow_restock' => true], [], 1), [200, false, 1], 'unless it is meant');
same($push(['order_status_id' => ''], [], 1), [200, false, 1], 'a comment alone keeps the status');

// Events.
$tell = function (int $status, bool $good, int $since = 1000) use ($config) {
	$db = new FakeDb(['/crossdock_outbox` WHERE/' => [['order_id' => '18', 'store_id' => '0', 'event' => 'order.deleted', 'version' => '2', 'attempts' => '1', 'next_at' => '900', 'since' => (string)$since]],
		'/crossdock_hook/' => [['store_id' => '-1', 'url' => 'https://gateway.example/h', 'secret' => 'a-made-up-hook-secret'], ['store_id' => '4', 'url' => 'https://other.example/h', 'secret' => 'x']]]);
	$sent = [];
	$outbox = new Outbox($db, 'oc_', new Orders($db, 'oc_', $config), function ($url, $headers, $body) use (&$sent, $good) {
		$sent[] = [$url, in_array('X-Crossdock-Signature: ' . Signature::ofEvent('a-made-up-hook-secret', $body), $headers, true), json_decode($body, true)['order']];
		return $good;
	});
	return [$outbox->flush(0, 50, 2, 1000), $sent, $db->asked('/^DELETE FROM `oc_crossdock_outbox` WHERE .* `version` = \'2\'/'), $db->asked("/`attempts` \\+ 1, `next_at` = '1120'/")];
};
$told = [['https://gateway.example/h', true, ['order_id' => '18', 'deleted' => true]]];
same($tell(200, true), [1, $told, 1, 0], 'taken by the gateway of that store, an event is forgotten');
same($tell(503, false), [0, $told, 0, 1], 'not taken, it waits');
same($tell(503, false, 1000 - Outbox::GIVE_UP - 1), [0, $told, 1, 0], 'after three days it is given up');
same([Outbox::wait(0), Outbox::wait(1), Outbox::wait(99)], [30, 120, 3600], 'waits grow');
same(Outbox::json(['a' => "\xff", 'b' => 'ā/']), "{\"a\":\"\u{fffd}\",\"b\":\"ā/\"}", 'bytes that are no text spoil nothing');

echo $failed ? "{$failed} failed\n" : "ok\n";
exit($failed ? 1 : 0);
