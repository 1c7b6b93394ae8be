<?php
namespace Crossdock;

/**
 * What the gateway may ask of a shop. One address, `?route=extension/crossdock/api&call=…`; every call is signed; answers and
 * bodies are JSON; a refusal is `{"error": {"code", "message"}}` with the status that says so.
 */
final class Api {
	const VERSION = '1.0.0';

	private $db;
	private $prefix;
	private $shop;
	private $orders;

	/**
	 * `$shop`: `config(name)`, `history(order_id, order_status_id, comment, notify)`, `stock_changed()` (forget cached products),
	 * and the texts `opencart`, `secret`.
	 */
	public function __construct($db, string $prefix, array $shop) {
		$this->db = $db;
		$this->prefix = $prefix;
		$this->shop = $shop;
		$this->orders = new Orders($db, $prefix, $shop['config']);
	}

	/** Answers the request that PHP is in: `[status, answer]`. */
	public function request(array $server, array $query, string $body, int $now): array {
		$method = (string)($server['REQUEST_METHOD'] ?? '');
		$target = (string)($server['REQUEST_URI'] ?? '');
		$moment = (string)($server['HTTP_X_CROSSDOCK_TIMESTAMP'] ?? '');
		$given = (string)($server['HTTP_X_CROSSDOCK_SIGNATURE'] ?? '');
		$refusal = Signature::refusal($this->shop['secret'], $method, $target, $moment, $given, $body, $now);
		if ($refusal !== null) {
			return self::error(401, 'signature', $refusal);
		}
		$wish = $method === 'GET' ? [] : json_decode($body, true);
		if (!is_array($wish)) {
			return self::error(400, 'body_malformed', 'the body is no JSON object');
		}
		return $this->answer($method . ' ' . ($query['call'] ?? ''), $query, $wish, $now);
	}

	private function answer(string $call, array $query, array $wish, int $now): array {
		switch ($call) {
			case 'GET ping':
				return [200, $this->ping($now)];
			case 'GET orders':
				return [200, $this->orders->page((string)($query['modified_from'] ?? ''), (int)($query['after_id'] ?? 0), (int)($query['limit'] ?? Orders::MOST), self::store($query))];
			case 'GET order':
				$order = $this->orders->one((int)($query['order_id'] ?? 0));
				return $order ? [200, $order] : self::error(404, 'order_missing', 'no such order');
			case 'POST history':
				return (new History($this->db, $this->prefix, $this->orders, $this->shop['history']))->push($wish, $now);
			case 'POST stock':
				return $this->stock($wish);
			case 'POST hook':
				return $this->hook($wish);
		}
		return self::error(404, 'call_unknown', 'known calls: GET ping, orders, order; POST history, stock, hook');
	}

	private function ping(int $now): array {
		$p = $this->prefix;
		$config = $this->shop['config'];
		$language = (int)$config('config_language_id');
		$statuses = $this->db->query("SELECT `order_status_id`, `name` FROM `{$p}order_status` WHERE `language_id` = '" . $language . "' ORDER BY `order_status_id`")->rows;
		$stores = $this->db->query("SELECT `store_id`, `name` FROM `{$p}store` ORDER BY `store_id`")->rows;
		return [
			'extension' => self::VERSION, 'opencart' => $this->shop['opencart'], 'php' => PHP_VERSION, 'now' => date('c', $now), 'timezone' => date_default_timezone_get(),
			'currency' => (string)$config('config_currency'),
			'stores' => array_merge([['store_id' => '0', 'name' => (string)$config('config_name')]], $stores),
			'statuses' => array_map(function ($row) {
				return ['order_status_id' => (string)$row['order_status_id'], 'name' => $row['name'], 'set' => $this->orders->set((string)$row['order_status_id'])];
			}, $statuses),
			'hooks' => array_map(function ($row) {
				return ['store_id' => (string)$row['store_id'], 'url' => $row['url']];
			}, Tables::hooks($this->db, $p)),
			'waiting' => (int)$this->db->query("SELECT COUNT(*) AS n FROM `{$p}crossdock_outbox`")->row['n'],
		];
	}

	private function stock(array $wish): array {
		$levels = $wish['levels'] ?? null;
		if (!is_array($levels) || count($levels) > Stock::MOST) {
			return self::error(422, 'levels_invalid', 'levels is a list of at most ' . Stock::MOST);
		}
		$results = (new Stock($this->db, $this->prefix))->write($levels);
		call_user_func($this->shop['stock_changed']);
		return [200, ['results' => $results]];
	}

	private function hook(array $wish): array {
		$url = (string)($wish['url'] ?? '');
		$secret = (string)($wish['secret'] ?? '');
		if ($url !== '' && (!preg_match('#^https?://#', $url) || strlen($url) > 500 || strlen($secret) < 8 || strlen($secret) > 255)) {
			return self::error(422, 'hook_invalid', 'url is an http(s) address, secret has 8 to 255 characters');
		}
		$store_id = self::store($wish);
		Tables::setHook($this->db, $this->prefix, $store_id, $url, $secret);
		return [200, ['store_id' => (string)$store_id, 'url' => $url]];
	}

	/** A store's id, or -1 for all. */
	private static function store(array $wish): int {
		$given = (string)($wish['store_id'] ?? '');
		return preg_match('/^[0-9]{1,9}$/', $given) ? (int)$given : -1;
	}

	/** A refusal. */
	public static function error(int $status, string $code, string $message): array {
		return [$status, ['error' => ['code' => $code, 'message' => $message]]];
	}
}
