<?php
namespace Crossdock;

/** Writes what may be sold. Each row stands for itself: one that cannot be written spoils no other. */
final class Stock {
	const MOST = 500;

	private $db;
	private $prefix;

	public function __construct($db, string $prefix) {
		$this->db = $db;
		$this->prefix = $prefix;
	}

	/** `[{sku | product_id, option_value_id?, quantity}]` → one result each, in their order. */
	public function write(array $levels): array {
		$results = [];
		foreach ($levels as $level) {
			$level = (array)$level;
			$named = array_intersect_key($level, array_flip(['sku', 'product_id', 'option_value_id']));
			$results[] = $named + $this->one($level);
		}
		return $results;
	}

	private function one(array $level): array {
		$quantity = $level['quantity'] ?? null;
		if (!is_numeric($quantity) || (float)$quantity != floor((float)$quantity) || abs((float)$quantity) > 2000000000) {
			return self::error('quantity_invalid', 'OpenCart counts whole pieces');
		}
		$p = $this->prefix;
		if (isset($level['option_value_id'])) {
			$where = "`product_option_value_id` = '" . (int)$level['option_value_id'] . "'";
			if (!$this->db->query("SELECT `product_id` FROM `{$p}product_option_value` WHERE {$where}")->num_rows) {
				return self::error('product_missing', 'no such option value');
			}
			$this->db->query("UPDATE `{$p}product_option_value` SET `quantity` = '" . (int)$quantity . "' WHERE {$where}");
			return ['quantity' => (int)$quantity];
		}
		$ids = $this->products($level);
		if (count($ids) !== 1) {
			return $ids ? self::error('sku_ambiguous', count($ids) . ' products have this SKU') : self::error('product_missing', 'no product has this SKU');
		}
		$this->db->query("UPDATE `{$p}product` SET `quantity` = '" . (int)$quantity . "' WHERE `product_id` = '" . $ids[0] . "'");
		return ['product_id' => (string)$ids[0], 'quantity' => (int)$quantity];
	}

	/** Whose stock is meant: by id, by SKU, or by model where the SKU is empty, as orders tell it. */
	private function products(array $level): array {
		$p = $this->prefix;
		if (isset($level['product_id'])) {
			$rows = $this->db->query("SELECT `product_id` FROM `{$p}product` WHERE `product_id` = '" . (int)$level['product_id'] . "'")->rows;
			return array_map('intval', array_column($rows, 'product_id'));
		}
		$sku = (string)($level['sku'] ?? '');
		if ($sku === '') {
			return [];
		}
		// Texts of OpenCart stand HTML-encoded in its tables.
		$sku = $this->db->escape(htmlspecialchars($sku, ENT_COMPAT, 'UTF-8'));
		if ($this->db->query("SHOW TABLES LIKE '{$p}product_code'")->num_rows) {
			$own = "SELECT DISTINCT `product_id` FROM `{$p}product_code` WHERE LOWER(`code`) = 'sku' AND `value` = '{$sku}'";
			$model = "SELECT p.`product_id` FROM `{$p}product` p WHERE p.`model` = '{$sku}' AND NOT EXISTS (SELECT 1 FROM `{$p}product_code` c WHERE c.`product_id` = p.`product_id` AND LOWER(c.`code`) = 'sku' AND c.`value` <> '')";
		} else {
			$own = "SELECT `product_id` FROM `{$p}product` WHERE `sku` = '{$sku}'";
			$model = "SELECT `product_id` FROM `{$p}product` WHERE `model` = '{$sku}' AND `sku` = ''";
		}
		$rows = $this->db->query($own)->rows ?: $this->db->query($model)->rows;
		return array_map('intval', array_column($rows, 'product_id'));
	}

	private static function error(string $code, string $message): array {
		return ['error' => ['code' => $code, 'message' => $message]];
	}
}
