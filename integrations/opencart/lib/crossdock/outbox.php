<?php
namespace Crossdock;

/**
 * Tells the gateway what changed. A change is written down first and sent when the buyer's page is out; what could not be sent
 * is tried again by cron for three days. The gateway's own reading finds whatever is lost here.
 */
final class Outbox {
	/** Waits after the first, second, … failure, in seconds; the last one repeats. */
	const WAITS = [30, 120, 600, 1800, 3600];
	const GIVE_UP = 259200;
	/** Whoever took a row has so many seconds before another may. */
	const CLAIM = 60;

	private $db;
	private $prefix;
	private $orders;
	private $send;

	/** `$send(url, headers, body, seconds)` posts and says whether the answer was a 2xx. */
	public function __construct($db, string $prefix, Orders $orders, callable $send) {
		$this->db = $db;
		$this->prefix = $prefix;
		$this->orders = $orders;
		$this->send = $send;
	}

	/** Writes down that an order changed, or (with its store) that it was deleted. */
	public function add(int $order_id, string $event, int $now) {
		$p = $this->prefix;
		$store = $this->db->query("SELECT `store_id` FROM `{$p}order` WHERE `order_id` = '" . $order_id . "'");
		$store_id = $store->num_rows ? (int)$store->row['store_id'] : 0;
		$this->db->query("INSERT INTO `{$p}crossdock_outbox` SET `order_id` = '" . $order_id . "', `store_id` = '" . $store_id . "', `event` = '" . $this->db->escape($event) . "', `next_at` = '" . $now . "', `since` = '" . $now . "'
			ON DUPLICATE KEY UPDATE `event` = VALUES(`event`), `version` = `version` + 1, `attempts` = 0, `next_at` = VALUES(`next_at`), `since` = VALUES(`since`)");
	}

	/** Sends what is due: of one order, or (0) the first of all. How many were taken by the gateway. */
	public function flush(int $order_id, int $most, int $seconds, int $now): int {
		$p = $this->prefix;
		$one = $order_id ? " AND `order_id` = '" . $order_id . "'" : '';
		$rows = $this->db->query("SELECT * FROM `{$p}crossdock_outbox` WHERE `next_at` <= '" . $now . "'{$one} ORDER BY `next_at` LIMIT " . $most)->rows;
		$sent = 0;
		foreach ($rows as $row) {
			$this->db->query("UPDATE `{$p}crossdock_outbox` SET `next_at` = '" . ($now + self::CLAIM) . "' WHERE `order_id` = '" . (int)$row['order_id'] . "' AND `version` = '" . (int)$row['version'] . "' AND `next_at` = '" . (int)$row['next_at'] . "'");
			if ($this->db->countAffected() < 1) {
				continue;
			}
			$sent += $this->tell($row, $seconds, $now) ? 1 : 0;
		}
		return $sent;
	}

	private function tell(array $row, int $seconds, int $now): bool {
		$p = $this->prefix;
		$same = " WHERE `order_id` = '" . (int)$row['order_id'] . "' AND `version` = '" . (int)$row['version'] . "'";
		$body = $this->body($row, $now);
		$good = true;
		if ($body !== null) {
			foreach (Tables::hooks($this->db, $p) as $hook) {
				if ((int)$hook['store_id'] !== -1 && (int)$hook['store_id'] !== (int)$row['store_id']) {
					continue;
				}
				$headers = ['Content-Type: application/json', 'X-Crossdock-Signature: ' . Signature::ofEvent($hook['secret'], $body)];
				$good = call_user_func($this->send, $hook['url'], $headers, $body, $seconds) && $good;
			}
		}
		if ($good || $now - (int)$row['since'] > self::GIVE_UP) {
			$this->db->query("DELETE FROM `{$p}crossdock_outbox`" . $same);
			return $good;
		}
		$this->db->query("UPDATE `{$p}crossdock_outbox` SET `attempts` = `attempts` + 1, `next_at` = '" . ($now + self::wait((int)$row['attempts'])) . "'" . $same);
		return false;
	}

	/** What is told: the order as it is now. Null for a checkout that was never finished. */
	private function body(array $row, int $now) {
		$id = (int)$row['order_id'];
		$order = $this->orders->one($id);
		$event = $order ? 'order.updated' : 'order.deleted';
		if (!$order && $row['event'] !== 'order.deleted' || $order && $order['order_status_id'] === '0') {
			return null;
		}
		$told = $order ?: ['order_id' => (string)$id, 'deleted' => true];
		return self::json(['event' => $event, 'sent_at' => date('c', $now), 'order' => $told]);
	}

	/** JSON text; bytes that are no UTF-8 are replaced, not refused. */
	public static function json(array $value): string {
		return json_encode($value, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE);
	}

	/** How long to wait after so many failures before this one. */
	public static function wait(int $failures): int {
		return self::WAITS[min($failures, count(self::WAITS) - 1)];
	}

	/** Posts by curl: no redirect is followed, certificates are checked. */
	public static function post(string $url, array $headers, string $body, int $seconds): bool {
		$curl = curl_init($url);
		curl_setopt_array($curl, [
			CURLOPT_POST => true, CURLOPT_POSTFIELDS => $body, CURLOPT_HTTPHEADER => $headers, CURLOPT_RETURNTRANSFER => true,
			CURLOPT_CONNECTTIMEOUT => $seconds, CURLOPT_TIMEOUT => $seconds, CURLOPT_FOLLOWLOCATION => false,
			CURLOPT_PROTOCOLS => CURLPROTO_HTTP | CURLPROTO_HTTPS,
		]);
		curl_exec($curl);
		$status = (int)curl_getinfo($curl, CURLINFO_HTTP_CODE);
		curl_close($curl);
		return $status >= 200 && $status < 300;
	}
}
