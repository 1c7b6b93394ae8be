<?php
namespace Crossdock;

/**
 * Sets an order's status and tells the customer, once for each idempotency key.
 *
 * OpenCart takes goods out of stock when an order enters the processing or complete statuses and puts them back when it leaves
 * them. A status outside both sets would put packed goods back on sale, so such a change is refused unless it is meant.
 */
final class History {
	/** After so many seconds a command that never said that it was done is looked into. */
	const UNDERWAY = 120;

	private $db;
	private $prefix;
	private $orders;
	private $add;

	/** `$add(order_id, order_status_id, comment, notify)` is OpenCart's own way to add a history row. */
	public function __construct($db, string $prefix, Orders $orders, callable $add) {
		$this->db = $db;
		$this->prefix = $prefix;
		$this->orders = $orders;
		$this->add = $add;
	}

	/** `[status, answer]`. */
	public function push(array $wish, int $now): array {
		$order_id = (int)($wish['order_id'] ?? 0);
		$key = (string)($wish['idempotency_key'] ?? '');
		$comment = (string)($wish['comment'] ?? '');
		if ($key === '' || strlen($key) > 100) {
			return Api::error(422, 'idempotency_key_invalid', 'idempotency_key has 1 to 100 characters');
		}
		$current = $this->status($order_id);
		if ($current === null) {
			return Api::error(404, 'order_missing', 'no such order');
		}
		$to = (string)($wish['order_status_id'] ?? '');
		$to = $to === '' ? $current : $to;
		if (!$this->db->query("SELECT 1 FROM `{$this->prefix}order_status` WHERE `order_status_id` = '" . (int)$to . "' LIMIT 1")->num_rows) {
			return Api::error(422, 'status_unknown', 'the shop has no such order status');
		}
		$before = $this->taken($key, $order_id, $now);
		if ($before === 'done' || ($before === 'unsure' && $this->happened($order_id, $to, $comment))) {
			$this->done($key);
			return [200, ['order_id' => (string)$order_id, 'order_status_id' => $current, 'repeated' => true]];
		}
		if ($before === 'underway') {
			return Api::error(409, 'underway', 'the same command is under way');
		}
		if ($this->orders->set($current) !== '' && $this->orders->set($to) === '' && empty($wish['allow_restock'])) {
			$this->forget($key);
			return Api::error(422, 'would_restock', 'the status is in neither the processing nor the complete set: OpenCart would put the goods back in stock');
		}
		call_user_func($this->add, $order_id, (int)$to, htmlspecialchars($comment, ENT_COMPAT, 'UTF-8'), !empty($wish['notify']));
		$this->done($key);
		// Fraud extensions may have set another status.
		return [200, ['order_id' => (string)$order_id, 'order_status_id' => $this->status($order_id), 'repeated' => false]];
	}

	private function status(int $order_id) {
		$found = $this->db->query("SELECT `order_status_id` FROM `{$this->prefix}order` WHERE `order_id` = '" . $order_id . "'");
		return $found->num_rows ? (string)$found->row['order_status_id'] : null;
	}

	/** Takes the key: `new`, or what is known of the one who took it before. */
	private function taken(string $key, int $order_id, int $now): string {
		$table = "`{$this->prefix}crossdock_command`";
		$key = $this->db->escape($key);
		$this->db->query("INSERT IGNORE INTO {$table} SET `idempotency_key` = '{$key}', `order_id` = '" . $order_id . "', `since` = '" . $now . "'");
		if ($this->db->countAffected() > 0) {
			return 'new';
		}
		$row = $this->db->query("SELECT `done`, `since` FROM {$table} WHERE `idempotency_key` = '{$key}'")->row;
		if (!empty($row['done'])) {
			return 'done';
		}
		return $now - (int)$row['since'] < self::UNDERWAY ? 'underway' : 'unsure';
	}

	/** Did the command that was cut off write its row? */
	private function happened(int $order_id, string $to, string $comment): bool {
		$comment = $this->db->escape(htmlspecialchars($comment, ENT_COMPAT, 'UTF-8'));
		return $this->db->query("SELECT 1 FROM `{$this->prefix}order_history` WHERE `order_id` = '" . $order_id . "' AND `order_status_id` = '" . (int)$to . "' AND `comment` = '{$comment}' LIMIT 1")->num_rows > 0;
	}

	private function done(string $key) {
		$this->db->query("UPDATE `{$this->prefix}crossdock_command` SET `done` = 1 WHERE `idempotency_key` = '" . $this->db->escape($key) . "'");
	}

	private function forget(string $key) {
		$this->db->query("DELETE FROM `{$this->prefix}crossdock_command` WHERE `idempotency_key` = '" . $this->db->escape($key) . "'");
	}
}
