<?php
namespace Crossdock;

/**
 * Between OpenCart's registry and the rest: the registry of versions 3 and 4 answers alike (`db`, `config`, `cache`, `log`).
 *
 * Nothing here may break a shop: what goes wrong while a change is told is written to the shop's log, and the order goes on.
 */
final class Shop {
	/** The buyer waits no longer than this, and only where PHP cannot send the page first. */
	const PATIENCE = 2;
	const PATIENCE_OF_CRON = 10;

	private static $waiting = [];

	/** Answers a call of the gateway; the JSON text goes to the caller. `$history` as in [History]. */
	public static function answer($registry, callable $history): string {
		$config = $registry->get('config');
		$shop = [
			'opencart' => VERSION, 'secret' => self::on($registry) ? (string)$config->get('module_crossdock_secret') : '',
			'config' => [$config, 'get'], 'history' => $history,
			'stock_changed' => function () use ($registry) {
				$registry->get('cache')->delete('product');
			},
		];
		$api = new Api($registry->get('db'), DB_PREFIX, $shop);
		list($status, $answer) = $api->request($_SERVER, $_GET, (string)file_get_contents('php://input'), time());
		http_response_code($status);
		return Outbox::json($answer);
	}

	/** An order changed or was deleted: written down now, told when the page is out. */
	public static function changed($registry, int $order_id, string $event) {
		if ($order_id < 1 || !self::on($registry)) {
			return;
		}
		self::careful($registry, function () use ($registry, $order_id, $event) {
			self::outbox($registry)->add($order_id, $event, time());
			if (!self::$waiting) {
				register_shutdown_function([self::class, 'tell'], $registry);
			}
			self::$waiting[$order_id] = true;
		});
	}

	/** After the page: tells what this request changed; more than a few are left to cron. */
	public static function tell($registry) {
		if (function_exists('fastcgi_finish_request')) {
			fastcgi_finish_request();
		}
		self::careful($registry, function () use ($registry) {
			foreach (array_slice(array_keys(self::$waiting), 0, 3) as $order_id) {
				self::outbox($registry)->flush($order_id, 1, self::PATIENCE, time());
			}
		});
		self::$waiting = [];
	}

	/** Sends what is due and forgets old commands; how many events the gateway took. */
	public static function cron($registry): int {
		$sent = 0;
		if (self::on($registry)) {
			self::careful($registry, function () use ($registry, &$sent) {
				$sent = self::outbox($registry)->flush(0, 50, self::PATIENCE_OF_CRON, time());
				$registry->get('db')->query('DELETE FROM `' . DB_PREFIX . "crossdock_command` WHERE `since` < '" . (time() - 90 * 86400) . "'");
			});
		}
		return $sent;
	}

	private static function on($registry): bool {
		return (bool)$registry->get('config')->get('module_crossdock_status');
	}

	private static function outbox($registry): Outbox {
		$db = $registry->get('db');
		return new Outbox($db, DB_PREFIX, new Orders($db, DB_PREFIX, [$registry->get('config'), 'get']), [Outbox::class, 'post']);
	}

	private static function careful($registry, callable $act) {
		try {
			$act();
		} catch (\Throwable $error) {
			$registry->get('log')->write('Crossdock: ' . $error->getMessage() . ' in ' . basename($error->getFile()) . ':' . $error->getLine());
		}
	}
}
