<?php
namespace Crossdock;

/**
 * Reads orders as they stand in the tables: all values as texts, moments with the shop's offset, no browser data.
 *
 * An order counts as changed at the later of its own `date_modified` and its newest history row: OpenCart 4.1 changes a status
 * without touching `date_modified`. Unfinished checkouts (status 0) are no orders and never listed.
 */
final class Orders {
	/** What says nothing about the order, or too much about the buyer's browser. */
	const LEFT_OUT = ['ip', 'forwarded_ip', 'user_agent', 'accept_language', 'affiliate_id', 'commission', 'marketing_id', 'tracking',
		'payment_address_format', 'shipping_address_format', 'payment_address_id', 'shipping_address_id', 'subscription_id'];
	const MOST = 100;

	private $db;
	private $prefix;
	private $processing;
	private $complete;
	private $language_id;
	private $codes;
	/** Where the database's clock is not the shop's: its offset. */
	private static $zone;

	/** `$config` answers by the names of OpenCart's settings. */
	public function __construct($db, string $prefix, callable $config) {
		$this->db = $db;
		$this->prefix = $prefix;
		$this->processing = array_map('strval', (array)$config('config_processing_status'));
		$this->complete = array_map('strval', (array)$config('config_complete_status'));
		$this->language_id = (int)$config('config_language_id');
		self::$zone = $config('config_timezone') ? null : self::zoneOf($db);
	}

	/** A page of changed orders: those changed after (`from`, `after_id`), oldest change first. */
	public function page(string $from, int $after_id, int $limit, int $store_id): array {
		$limit = max(1, min(self::MOST, $limit));
		$local = $this->db->escape(self::local($from));
		$p = $this->prefix;
		$store = $store_id < 0 ? '' : " AND o.`store_id` = '" . $store_id . "'";
		$rows = $this->db->query("SELECT o.`order_id`, GREATEST(o.`date_modified`, COALESCE(h.`last`, o.`date_modified`)) AS `changed`
			FROM `{$p}order` o
			LEFT JOIN (SELECT `order_id`, MAX(`date_added`) AS `last` FROM `{$p}order_history` WHERE `date_added` >= '{$local}' GROUP BY `order_id`) h ON h.`order_id` = o.`order_id`
			WHERE o.`order_status_id` > 0{$store} AND (o.`date_modified` >= '{$local}' OR h.`last` IS NOT NULL)
			HAVING `changed` > '{$local}' OR (`changed` = '{$local}' AND o.`order_id` > '" . $after_id . "')
			ORDER BY `changed`, o.`order_id` LIMIT " . ($limit + 1))->rows;
		$more = count($rows) > $limit;
		$rows = array_slice($rows, 0, $limit);
		$last = end($rows);
		return [
			'orders' => $this->read(array_map('intval', array_column($rows, 'order_id'))),
			'next'   => $more ? ['modified_from' => self::iso($last['changed']), 'after_id' => (int)$last['order_id']] : null,
		];
	}

	/** One order, or null. */
	public function one(int $order_id) {
		$read = $this->read([$order_id]);
		return $read ? $read[0] : null;
	}

	/** Whole orders, in the order of the ids. */
	private function read(array $ids): array {
		if (!$ids) {
			return [];
		}
		$p = $this->prefix;
		$in = implode(',', $ids);
		$orders = $this->db->query("SELECT o.*, pc.`iso_code_2` AS `payment_iso_code_2`, sc.`iso_code_2` AS `shipping_iso_code_2`,
			pz.`code` AS `payment_zone_code`, sz.`code` AS `shipping_zone_code`, s.`name` AS `order_status`, c.`decimal_place` AS `currency_decimal_place`, l.`code` AS `language`
			FROM `{$p}order` o
			LEFT JOIN `{$p}country` pc ON pc.`country_id` = o.`payment_country_id` LEFT JOIN `{$p}country` sc ON sc.`country_id` = o.`shipping_country_id`
			LEFT JOIN `{$p}zone` pz ON pz.`zone_id` = o.`payment_zone_id` LEFT JOIN `{$p}zone` sz ON sz.`zone_id` = o.`shipping_zone_id`
			LEFT JOIN `{$p}order_status` s ON s.`order_status_id` = o.`order_status_id` AND s.`language_id` = '{$this->language_id}'
			LEFT JOIN `{$p}currency` c ON c.`code` = o.`currency_code` LEFT JOIN `{$p}language` l ON l.`language_id` = o.`language_id`
			WHERE o.`order_id` IN ({$in})")->rows;
		$products = self::by('order_id', $this->products($in));
		$options = self::by('order_product_id', $this->db->query("SELECT `order_product_id`, `name`, `value`, `type`, `product_option_value_id` FROM `{$p}order_option` WHERE `order_id` IN ({$in}) ORDER BY `order_option_id`")->rows);
		$totals = self::by('order_id', $this->db->query("SELECT `order_id`, `code`, `title`, `value`, `sort_order` FROM `{$p}order_total` WHERE `order_id` IN ({$in}) ORDER BY `sort_order`, `order_total_id`")->rows);
		$histories = self::by('order_id', $this->db->query("SELECT `order_id`, `order_status_id`, `date_added` FROM `{$p}order_history` WHERE `order_id` IN ({$in}) ORDER BY `order_history_id`")->rows);
		$vouchers = [];
		if ($this->has('order_voucher', 'amount')) {
			$vouchers = self::by('order_id', $this->db->query("SELECT `order_id`, `order_voucher_id`, `description`, `amount` FROM `{$p}order_voucher` WHERE `order_id` IN ({$in})")->rows);
		}
		$found = [];
		foreach ($orders as $row) {
			$id = (int)$row['order_id'];
			$lines = [];
			foreach ($products[$id] ?? [] as $line) {
				$lines[] = $line + ['options' => self::without('order_product_id', $options[$line['order_product_id']] ?? [])];
			}
			$found[$id] = $this->shaped($row, self::without('order_id', $lines), self::without('order_id', $vouchers[$id] ?? []),
				self::without('order_id', $totals[$id] ?? []), self::without('order_id', $histories[$id] ?? []));
		}
		$inOrder = [];
		foreach ($ids as $id) {
			if (isset($found[$id])) {
				$inOrder[] = $found[$id];
			}
		}
		return $inOrder;
	}

	/** The lines, each with what the warehouse knows the product by and its weight in grams. */
	private function products(string $in): array {
		$p = $this->prefix;
		// OpenCart 4.1 keeps codes in a table of their own.
		if ($this->has('product_code', 'value')) {
			$code = function ($name) use ($p) {
				return "(SELECT MAX(x.`value`) FROM `{$p}product_code` x WHERE x.`product_id` = op.`product_id` AND LOWER(x.`code`) = '{$name}')";
			};
			$codes = $code('sku') . ' AS `sku`, ' . $code('ean') . ' AS `ean`, ' . $code('upc') . ' AS `upc`';
		} else {
			$codes = 'p.`sku`, p.`ean`, p.`upc`';
		}
		$grams = "(SELECT MAX(g.`value`) FROM `{$p}weight_class` g JOIN `{$p}weight_class_description` gd ON gd.`weight_class_id` = g.`weight_class_id` WHERE gd.`unit` = 'g')";
		return $this->db->query("SELECT op.*, {$codes}, p.`shipping`, ROUND(p.`weight` / w.`value` * {$grams}) AS `weight_g`
			FROM `{$p}order_product` op LEFT JOIN `{$p}product` p ON p.`product_id` = op.`product_id`
			LEFT JOIN `{$p}weight_class` w ON w.`weight_class_id` = p.`weight_class_id` AND w.`value` > 0
			WHERE op.`order_id` IN ({$in}) ORDER BY op.`order_product_id`")->rows;
	}

	/** A row of the order table with all that belongs to it, as it goes out. */
	public function shaped(array $row, array $products, array $vouchers, array $totals, array $histories): array {
		$modified = $row['date_modified'];
		foreach ($histories as $i => $history) {
			$modified = max($modified, $history['date_added']);
			$histories[$i]['date_added'] = self::iso($history['date_added']);
		}
		$order = array_diff_key($row, array_flip(self::LEFT_OUT));
		$order['language_code'] = ($row['language_code'] ?? '') !== '' ? $row['language_code'] : ($row['language'] ?? null);
		unset($order['language']);
		$order['date_added'] = self::iso($row['date_added']);
		$order['date_modified'] = self::iso($modified);
		foreach (['payment_method', 'shipping_method', 'custom_field', 'payment_custom_field', 'shipping_custom_field'] as $name) {
			$order[$name] = self::decoded($row[$name] ?? null);
		}
		$order['status_set'] = $this->set((string)$row['order_status_id']);
		return self::texts($order) + self::texts(['products' => $products, 'vouchers' => $vouchers, 'totals' => $totals, 'histories' => $histories]);
	}

	/** Which of the shop's two sets of statuses a status is in: goods are out of stock only in these. */
	public function set(string $status_id): string {
		return in_array($status_id, $this->complete, true) ? 'complete' : (in_array($status_id, $this->processing, true) ? 'processing' : '');
	}

	/** Does the table have the column? Versions differ. */
	private function has(string $table, string $column): bool {
		$key = $table . '.' . $column;
		if (!isset($this->codes[$key])) {
			$there = $this->db->query("SHOW TABLES LIKE '" . $this->prefix . $table . "'")->num_rows > 0;
			$this->codes[$key] = $there && $this->db->query("SHOW COLUMNS FROM `{$this->prefix}{$table}` LIKE '{$column}'")->num_rows > 0;
		}
		return $this->codes[$key];
	}

	/** OpenCart 4 keeps methods as JSON texts, and both versions custom fields. */
	private static function decoded($value) {
		if (!is_string($value) || ($value[0] ?? '') !== '{' && ($value[0] ?? '') !== '[') {
			return $value;
		}
		$decoded = json_decode($value, true);
		return $decoded === null ? $value : $decoded;
	}

	/** Numbers as texts: what JSON does to a float is nobody's business. */
	private static function texts($value) {
		if (is_array($value)) {
			return array_map([self::class, 'texts'], $value);
		}
		return is_int($value) || is_float($value) ? (string)$value : $value;
	}

	private static function by(string $key, array $rows): array {
		$by = [];
		foreach ($rows as $row) {
			$by[$row[$key]][] = $row;
		}
		return $by;
	}

	private static function without(string $key, array $rows): array {
		return array_map(function ($row) use ($key) {
			unset($row[$key]);
			return $row;
		}, $rows);
	}

	/** A moment of the database (shop's time) with its offset; null when there is none. */
	public static function iso(string $local) {
		$at = $local === '' || strpos($local, '0000') === 0 ? false : date_create($local, self::zone());
		return $at ? $at->format('c') : null;
	}

	/** A moment with an offset as the database has it. What cannot be read is the beginning of time. */
	public static function local(string $iso): string {
		$at = $iso === '' ? false : date_create($iso, self::zone());
		return ($at ?: date_create('@0'))->setTimezone(self::zone())->format('Y-m-d H:i:s');
	}

	private static function zone(): \DateTimeZone {
		return self::$zone ?: new \DateTimeZone(date_default_timezone_get());
	}

	/** How far the database's clock is from UTC now: OpenCart before 3.0.3.8 does not set it to the shop's zone. */
	private static function zoneOf($db) {
		$row = $db->query('SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW()) AS `seconds`')->row;
		$minutes = isset($row['seconds']) ? (int)round($row['seconds'] / 60) : null;
		return $minutes === null ? null : new \DateTimeZone(sprintf('%s%02d:%02d', $minutes < 0 ? '-' : '+', intdiv(abs($minutes), 60), abs($minutes) % 60));
	}
}
