<?php
/**
 * The trial of `try.sh` in one shop: php try.php SHOP HOOKS HOOKS_DIR DIST HOST:PORT/DATABASE SHOP_DIR. It works as people and the gateway
 * do: admin pages, storefront, signed calls. Stops at the first thing that is not as it should be.
 */
require __DIR__ . '/../lib/crossdock/load.php';
list(, $shop, $hooks, $hooks_dir, $dist, $database, $shop_dir) = $argv;
preg_match('#^(.+):(\d+)/(.+)$#', $database, $m);
$db = new mysqli($m[1], 'shop', 'shop', $m[3], (int)$m[2]);
preg_match("/'VERSION', '([0-9.]+)'/", file_get_contents($shop_dir . '/index.php'), $m);
$version = $m[1];
$four = $version[0] === '4';

function check(bool $good, string $what, $seen = null) {
	echo ($good ? '  ok   ' : '  FAIL ') . $what . "\n";
	if (!$good) {
		echo '       ' . (is_string($seen) ? $seen : json_encode($seen)) . "\n";
		exit(1);
	}
}

/** A browser: keeps its cookies. */
final class Browser {
	private $jar;
	public function __construct() {
		$this->jar = tempnam(sys_get_temp_dir(), 'jar');
	}
	public function __destruct() {
		@unlink($this->jar);
	}
	public function get(string $url): string {
		return $this->go($url, null);
	}
	public function post(string $url, array $form): string {
		return $this->go($url, $form);
	}
	private function go(string $url, $form): string {
		$curl = curl_init($url);
		$options = [CURLOPT_RETURNTRANSFER => true, CURLOPT_COOKIEJAR => $this->jar, CURLOPT_COOKIEFILE => $this->jar, CURLOPT_USERAGENT => 'Mozilla/5.0 (trial)', CURLOPT_FOLLOWLOCATION => true, CURLOPT_TIMEOUT => 60];
		if ($form !== null) {
			$files = array_filter($form, 'is_object');
			$options += [CURLOPT_POST => true, CURLOPT_POSTFIELDS => $files ? $form : http_build_query($form)];
		}
		curl_setopt_array($curl, $options);
		$text = (string)curl_exec($curl);
		$this->url = curl_getinfo($curl, CURLINFO_EFFECTIVE_URL);
		curl_close($curl);
		return $text;
	}
	public $url = '';
}

/** A signed call: [status, answer]. */
function call(string $method, string $query, $body = null, int $off = 0, string $secret = null): array {
	global $shop, $db;
	$secret = $secret ?? $db->query("SELECT `value` FROM oc_setting WHERE `key` = 'module_crossdock_secret'")->fetch_row()[0];
	$target = '/index.php?route=extension/crossdock/api&' . $query;
	$text = $body === null ? '' : json_encode($body);
	$moment = (string)(time() + $off);
	$curl = curl_init($shop . $target);
	curl_setopt_array($curl, [CURLOPT_RETURNTRANSFER => true, CURLOPT_CUSTOMREQUEST => $method, CURLOPT_POSTFIELDS => $text, CURLOPT_TIMEOUT => 60, CURLOPT_HTTPHEADER => [
		'Content-Type: application/json', 'X-Crossdock-Timestamp: ' . $moment,
		'X-Crossdock-Signature: ' . Crossdock\Signature::ofCall($secret, $method, $target, $moment, $text)]]);
	$answer = (string)curl_exec($curl);
	$status = (int)curl_getinfo($curl, CURLINFO_HTTP_CODE);
	curl_close($curl);
	$json = json_decode($answer, true);
	return [$status, $json === null ? $answer : $json];
}

/** Events that came since the last look; their signatures are checked. */
function events(): array {
	global $hooks_dir;
	static $seen = 0;
	$files = array_slice(glob($hooks_dir . '/event-*.json'), $seen);
	$seen += count($files);
	return array_map(function ($file) {
		$event = json_decode(file_get_contents($file), true);
		check(hash_equals(Crossdock\Signature::ofEvent('a-long-random-text', $event['body']), $event['signature']), 'the event is signed');
		return json_decode($event['body'], true);
	}, $files);
}

/** Buys as a guest, cash on delivery; the order's id. */
function buy(): int {
	global $shop, $four, $db;
	$browser = new Browser();
	$at = $shop . '/index.php?route=';
	$who = ['firstname' => 'Jānis', 'lastname' => 'Bērziņš', 'email' => 'janis@example.com', 'telephone' => '+37120000000'];
	$where = ['company' => '', 'address_1' => 'Brīvības iela 1-2', 'address_2' => '', 'city' => 'Rīga', 'postcode' => 'LV-1010', 'country_id' => 117, 'zone_id' => (int)$db->query("SELECT zone_id FROM oc_zone WHERE country_id = 117 LIMIT 1")->fetch_row()[0]];
	if ($four) {
		$language = '&language=en-gb';
		$browser->get($shop . '/index.php?language=en-gb');
		$browser->post($at . 'checkout/cart.add' . $language, ['product_id' => 40, 'quantity' => 2]);
		$browser->get($at . 'checkout/checkout' . $language);
		$form = $who + ['account' => 0, 'customer_group_id' => 1, 'address_match' => 0, 'password' => '', 'agree' => 1];
		foreach ($where + ['firstname' => $who['firstname'], 'lastname' => $who['lastname']] as $name => $value) {
			$form['payment_' . $name] = $form['shipping_' . $name] = $value;
		}
		$said = [$browser->post($at . 'checkout/register.save' . $language, $form)];
		$said[] = $browser->get($at . 'checkout/shipping_method.quote' . $language);
		$said[] = $browser->post($at . 'checkout/shipping_method.save' . $language, ['shipping_method' => 'flat.flat']);
		$said[] = $browser->get($at . 'checkout/payment_method.getMethods' . $language);
		$said[] = $browser->post($at . 'checkout/payment_method.save' . $language, ['payment_method' => 'cod.cod']);
		$browser->post($at . 'checkout/payment_method.comment' . $language, ['comment' => 'Please call & wait']);
		$browser->post($at . 'checkout/payment_method.agree' . $language, ['agree' => 1]);
		$browser->get($at . 'checkout/confirm.confirm' . $language);
		$said[] = $browser->get($at . 'extension/opencart/payment/cod.confirm' . $language);
	} else {
		$browser->get($shop . '/');
		$browser->post($at . 'checkout/cart/add', ['product_id' => 40, 'quantity' => 2]);
		$said = [$browser->post($at . 'checkout/guest/save', $who + $where + ['customer_group_id' => 1, 'shipping_address' => 1])];
		$browser->get($at . 'checkout/shipping_method');
		$said[] = $browser->post($at . 'checkout/shipping_method/save', ['shipping_method' => 'flat.flat', 'comment' => 'Please call & wait']);
		$browser->get($at . 'checkout/payment_method');
		$said[] = $browser->post($at . 'checkout/payment_method/save', ['payment_method' => 'cod', 'comment' => 'Please call & wait', 'agree' => 1]);
		$browser->get($at . 'checkout/confirm');
		$said[] = $browser->get($at . 'extension/payment/cod/confirm');
	}
	$found = $db->query('SELECT order_id FROM oc_order WHERE order_status_id > 0 ORDER BY order_id DESC LIMIT 1')->fetch_row();
	check((bool)$found, 'a guest buys', $said);
	return (int)$found[0];
}

function stock(int $product = 40): int {
	global $db;
	return (int)$db->query("SELECT quantity FROM oc_product WHERE product_id = {$product}")->fetch_row()[0];
}

/** The admin's pages, logged in: a function from route and form to the answer. */
function admin(): callable {
	global $shop;
	$browser = new Browser();
	$page = '';
	for ($i = 0; $i < 50 && $page === ''; $i++) {
		$page = $browser->get($shop . '/admin/index.php');
		usleep(100000);
	}
	preg_match('/login_token=([a-z0-9]+)/i', $page, $login);
	$route = $GLOBALS['four'] ? 'common/login.login' . (isset($login[1]) ? '&login_token=' . $login[1] : '') : 'common/login';
	$answer = $browser->post($shop . '/admin/index.php?route=' . $route, ['username' => 'admin', 'password' => 'try-password']);
	preg_match('/user_token=([a-zA-Z0-9]+)/', $answer . $browser->url, $token);
	check(isset($token[1]), 'the admin logs in', substr(strip_tags($answer), 0, 300));
	return function (string $route, array $form = null) use ($browser, $shop, $token) {
		$url = $shop . '/admin/index.php?route=' . $route . '&user_token=' . $token[1];
		return $form === null ? $browser->get($url) : $browser->post($url, $form);
	};
}

/** Uploads the zip and installs it, as the admin's pages do. */
function install(callable $admin) {
	global $four, $dist, $db;
	$zip = new CURLFile($dist . '/opencart' . ($four ? 4 : 3) . '/crossdock.ocmod.zip', 'application/zip', 'crossdock.ocmod.zip');
	$said = $admin($four ? 'marketplace/installer.upload' : 'marketplace/installer/upload', ['file' => $zip]);
	$next = json_decode($said, true);
	if ($four) {
		$id = $db->query("SELECT extension_install_id FROM oc_extension_install WHERE code = 'crossdock'")->fetch_row()[0];
		$next = ['next' => 'route=marketplace/installer.install&extension_install_id=' . $id];
	}
	while (isset($next['next'])) {
		preg_match('/route=([^&]+)(.*)$/', str_replace('&amp;', '&', $next['next']), $m);
		$said = $admin($m[1] . preg_replace('/&user_token=[^&]*/', '', $m[2]));
		$next = json_decode($said, true);
	}
	check(isset($next['success']), 'the zip is installed', $said);
	$said = $admin($four ? 'extension/module.install&extension=crossdock&code=crossdock' : 'extension/extension/module/install&extension=crossdock');
	$page = $admin($four ? 'extension/crossdock/module/crossdock' : 'extension/module/crossdock');
	check(strpos($page, 'cds_') !== false, 'the module is installed; its page shows a secret', substr(strip_tags($said . $page), 0, 400));
}

/** A whole gateway takes an order from the shop and ships it. */
function gateway(string $binary, string $dir, string $shop) {
	global $db;
	@mkdir($dir);
	$address = '127.0.0.1:' . (parse_url($shop, PHP_URL_PORT) + 20);
	$token = bin2hex(random_bytes(24));
	$log = ['file', $dir . '/log', 'a'];
	$process = proc_open([$binary, 'serve'], [1 => $log, 2 => $log], $pipes, $dir, ['CROSSDOCK_LISTEN' => $address, 'CROSSDOCK_DATA_DIR' => $dir,
		'CROSSDOCK_ADMIN_TOKEN' => $token, 'CROSSDOCK_ALLOW_PRIVATE_TARGETS' => 'true', 'CROSSDOCK_MIN_FREE_MB' => '0', 'PATH' => (string)getenv('PATH')]);
	register_shutdown_function('proc_terminate', $process);
	$ask = function (string $method, string $path, array $body = null) use ($address, $token) {
		$curl = curl_init('http://' . $address . $path);
		curl_setopt_array($curl, [CURLOPT_RETURNTRANSFER => true, CURLOPT_CUSTOMREQUEST => $method, CURLOPT_HTTPHEADER => ['Authorization: Bearer ' . $token, 'Content-Type: application/json']]);
		if ($body !== null) {
			curl_setopt($curl, CURLOPT_POSTFIELDS, json_encode($body));
		}
		$answer = curl_exec($curl);
		curl_close($curl);
		return json_decode((string)$answer, true);
	};
	$until = function (callable $look, string $what) use ($dir) {
		for ($i = 0; $i < 300; $i++) {
			if ($found = $look()) {
				check(true, $what);
				return $found;
			}
			usleep(200000);
		}
		check(false, $what, substr((string)file_get_contents($dir . '/log'), -2000));
	};
	$merchant = $until(function () use ($ask) {
		return $ask('POST', '/v1/merchants', ['name' => 'Trial']);
	}, 'a gateway starts');
	$secret = $db->query("SELECT `value` FROM oc_setting WHERE `key` = 'module_crossdock_secret'")->fetch_row()[0];
	$connection = $ask('POST', '/v1/connections', ['merchant_id' => $merchant['id'], 'connector' => 'opencart', 'name' => 'Shop', 'state' => 'active', 'release_from' => '2020-01-01T00:00:00Z',
		'settings' => ['base_url' => $shop], 'credentials' => ['api_secret' => $secret, 'webhook_secret' => 'another-long-random-text']]);
	$until(function () use ($connection) {
		return call('GET', 'call=ping')[1]['hooks'][0]['url'] === $connection['hook_url'];
	}, 'it registers its address');
	$id = buy();
	$event = $until(function () use ($ask, $id) {
		foreach ($ask('GET', '/v1/events?after=0&limit=500')['data'] as $event) {
			if ($event['type'] === 'fulfillment_order.submitted' && $event['data']['order']['external_id'] === (string)$id) {
				return $event;
			}
		}
	}, 'the order is with the warehouse');
	check($event['data']['order']['source'] === 'webhook', 'by the event', $event['data']['order']['source']);
	$ask('POST', '/v1/fulfillment-orders/' . $event['data']['fulfillment_order']['id'] . '/ship', ['shipment_ref' => 'TRY-1', 'carrier' => 'Omniva', 'parcels' => [['weight_g' => 900, 'tracking_number' => 'CE123456789LV']]]);
	$row = $until(function () use ($db, $id) {
		return $db->query("SELECT comment FROM oc_order_history WHERE order_id = {$id} AND order_status_id = 3")->fetch_row();
	}, 'the shop says that it is shipped');
	check($row[0] === 'Your parcel is on its way. Omniva CE123456789LV (TRY-1)', 'with the number', $row);
	$problems = $ask('GET', '/v1/problems?status=open');
	check($problems['data'] === [], 'and nothing is amiss', $problems);
	proc_terminate($process);
	call('POST', 'call=hook', ['url' => '', 'secret' => '']);
}

echo "OpenCart {$version}\n";
$admin = admin();
install($admin);

list($status) = call('GET', 'call=ping', null, 0, 'another secret of thirty-two characters');
check($status === 401, 'another secret is refused', $status);
list($status) = call('GET', 'call=ping', null, -400);
check($status === 401, 'an old call is refused', $status);
list($status, $ping) = call('GET', 'call=ping');
check($status === 200 && $ping['opencart'] === $version && count($ping['statuses']) > 10, 'ping tells version, statuses and sets', $ping);
list($status, $answer) = call('POST', 'call=hook', ['url' => $hooks . '/hooks/con_1', 'secret' => 'a-long-random-text']);
check($status === 200, 'the gateway registers its address', $answer);

$before = stock();
$id = buy();
$told = events();
check(count($told) === 1 && $told[0]['event'] === 'order.updated' && $told[0]['order']['order_id'] === (string)$id, 'the order is told within the checkout', $told);
$order = $told[0]['order'];
check(count($order['products']) === 1 && $order['products'][0]['quantity'] === '2' && isset($order['products'][0]['weight_g']), 'with its lines', $order);
check($order['shipping_iso_code_2'] === 'LV' && preg_match('/[+-]\d\d:\d\d$/', $order['date_modified']), 'with country and a moment that names its offset', $order);
check(!isset($order['ip']) && !isset($order['user_agent']), 'without the browser', $order);
check(stock() === $before - 2, 'the shop took the goods out of stock', [$before, stock()]);

list($status, $one) = call('GET', 'call=order&order_id=' . $id);
check($status === 200 && $one == $order, 'the same order can be read', $one);
check(call('GET', 'call=order&order_id=999999')[0] === 404, 'one that is not there is 404');
for ($i = 0; $i < 2; $i++) {
	buy();
}
$ids = [];
$query = 'call=orders&limit=2&modified_from=' . urlencode(gmdate('Y-m-d\TH:i:s\Z', time() - 86400)) . '&after_id=0';
do {
	list($status, $page) = call('GET', $query);
	check($status === 200 && count($page['orders']) <= 2, 'a page of changed orders', $page);
	$ids = array_merge($ids, array_column($page['orders'], 'order_id'));
	$query = $page['next'] ? 'call=orders&limit=2&modified_from=' . urlencode($page['next']['modified_from']) . '&after_id=' . $page['next']['after_id'] : null;
} while ($query);
check($ids === [(string)$id, (string)($id + 1), (string)($id + 2)], 'pages tell each order once, in order', $ids);
events();

sleep(1); // the clock of the tables ticks in seconds
$from = urlencode(gmdate('Y-m-d\TH:i:s\Z'));
$wish = ['order_id' => $id, 'order_status_id' => '3', 'comment' => 'On its way: ACME <1> & Co 123', 'notify' => false, 'idempotency_key' => 'shp_1'];
list($status, $answer) = call('POST', 'call=history', $wish);
check($status === 200 && $answer['order_status_id'] === '3' && $answer['repeated'] === false, 'a shipment sets the status', $answer);
list($status, $answer) = call('POST', 'call=history', $wish);
check($status === 200 && $answer['repeated'] === true, 'told twice it is done once', $answer);
$rows = $db->query("SELECT comment FROM oc_order_history WHERE order_id = {$id} AND order_status_id = 3")->fetch_all();
check(count($rows) === 1 && html_entity_decode($rows[0][0]) === $wish['comment'], 'one history row with the comment', $rows);
$told = events();
check(count($told) === 1 && $told[0]['order']['order_status_id'] === '3', 'the change itself is told', $told);
list($status, $page) = call('GET', 'call=orders&modified_from=' . $from);
check(array_column($page['orders'], 'order_id') === [(string)$id], 'and found by reading what changed since', $page);

list($status, $answer) = call('POST', 'call=history', ['order_id' => $id, 'order_status_id' => '10', 'idempotency_key' => 'x1'] + $wish);
check($status === 422 && $answer['error']['code'] === 'would_restock', 'a status that would restock packed goods is refused', $answer);
list($status, $answer) = call('POST', 'call=history', ['order_id' => $id, 'order_status_id' => '77', 'idempotency_key' => 'x2'] + $wish);
check($status === 422 && $answer['error']['code'] === 'status_unknown', 'and one that is not there', $answer);
$held = stock();
list($status, $answer) = call('POST', 'call=history', ['order_id' => $id + 1, 'order_status_id' => '7', 'comment' => '', 'allow_restock' => true, 'idempotency_key' => 'x3']);
check($status === 200 && stock() === $held + 2, 'a cancellation puts the goods back', [$answer, $held, stock()]);

if ($four && !$db->query("SHOW COLUMNS FROM oc_product LIKE 'sku'")->num_rows) {
	$db->query("INSERT INTO oc_product_code SET product_id = 40, code = 'sku', value = 'SKU-40'");
} else {
	$db->query("UPDATE oc_product SET sku = 'SKU-40' WHERE product_id = 40");
}
list($status, $answer) = call('POST', 'call=stock', ['levels' => [['sku' => 'SKU-40', 'quantity' => 17], ['sku' => 'nobody', 'quantity' => 1], ['product_id' => 41, 'quantity' => -3], ['sku' => 'SKU-40', 'quantity' => '1.5']]]);
$codes = array_map(function ($row) {
	return $row['error']['code'] ?? 'ok';
}, $answer['results']);
check($status === 200 && $codes === ['ok', 'product_missing', 'ok', 'quantity_invalid'] && stock() === 17 && stock(41) === -3, 'stock is set, row by row', [$answer, stock()]);
$one = call('GET', 'call=order&order_id=' . $id)[1];
check($one['products'][0]['sku'] === 'SKU-40', 'orders tell the SKU', $one['products']);

events();
file_put_contents($hooks_dir . '/answer', '503');
call('POST', 'call=history', ['order_id' => $id + 2, 'order_status_id' => '2', 'comment' => '', 'idempotency_key' => 'x4']);
check(count(events()) === 1, 'a gateway that is down is tried once');
file_put_contents($hooks_dir . '/answer', '200');
(new Browser())->get($shop . '/index.php?route=extension/crossdock/cron');
check(count(events()) === 0, 'and not again at once');
$db->query('UPDATE oc_crossdock_outbox SET next_at = 0');
$said = (new Browser())->get($shop . '/index.php?route=extension/crossdock/cron');
$told = events();
check(count($told) === 1 && $told[0]['order']['order_id'] === (string)($id + 2) && trim($said) === 'sent 1', 'cron tells it when it is due', [$said, $told]);
check(call('GET', 'call=ping')[1]['waiting'] === 0, 'nothing waits');

if (version_compare($version, '4.1', '>=')) { // before that the admin's page calls the shop's own API
	$admin('sale/order.delete', ['selected' => [$id + 2]]);
	$told = events();
	$last = end($told);
	check($last['event'] === 'order.deleted' && $last['order'] === ['order_id' => (string)($id + 2), 'deleted' => true], 'a deleted order is told', $told);
}
if (getenv('CROSSDOCK')) {
	gateway(realpath(getenv('CROSSDOCK')), $hooks_dir . '/gateway', $shop);
}
foreach (['extension/crossdock/hook' . ($four ? '.' : '/') . 'changed', 'extension/crossdock/api'] as $route) {
	$said = (new Browser())->get($shop . '/index.php?route=' . $route);
	check(count(events()) === 0 && strpos($said, 'Fatal') === false, "a stranger at {$route} gets nothing", $said);
}
$admin($four ? 'extension/module.uninstall&extension=crossdock&code=crossdock' : 'extension/extension/module/uninstall&extension=crossdock');
$left = $db->query("SHOW TABLES LIKE 'oc_crossdock%'")->num_rows + $db->query("SELECT 1 FROM oc_event WHERE code = 'crossdock'")->num_rows;
check($left === 0, 'uninstalled, it leaves no table and no event');
echo "OpenCart {$version}: all as it should be\n";
