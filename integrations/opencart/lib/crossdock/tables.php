<?php
namespace Crossdock;

/** The extension's own tables. Nothing is added to OpenCart's. Moments are seconds since 1970: no zone can shift them. */
final class Tables {
	public static function create($db, string $prefix) {
		// What waits to be told: one row an order, however often it changed. `version` rises with every change.
		$db->query("CREATE TABLE IF NOT EXISTS `{$prefix}crossdock_outbox` (
			`order_id` INT NOT NULL, `store_id` INT NOT NULL DEFAULT 0, `event` VARCHAR(32) NOT NULL, `version` INT NOT NULL DEFAULT 1,
			`attempts` INT NOT NULL DEFAULT 0, `next_at` INT NOT NULL, `since` INT NOT NULL, PRIMARY KEY (`order_id`), KEY `next_at` (`next_at`)
		) DEFAULT CHARSET=utf8");
		// Who is told: a gateway's address for all stores (-1) or for one.
		$db->query("CREATE TABLE IF NOT EXISTS `{$prefix}crossdock_hook` (
			`store_id` INT NOT NULL, `url` VARCHAR(500) NOT NULL, `secret` VARCHAR(255) NOT NULL, PRIMARY KEY (`store_id`)
		) DEFAULT CHARSET=utf8");
		// What the gateway asked for, so that asking twice does it once.
		$db->query("CREATE TABLE IF NOT EXISTS `{$prefix}crossdock_command` (
			`idempotency_key` VARCHAR(100) NOT NULL, `order_id` INT NOT NULL, `done` TINYINT NOT NULL DEFAULT 0, `since` INT NOT NULL,
			PRIMARY KEY (`idempotency_key`), KEY `since` (`since`)
		) DEFAULT CHARSET=utf8");
	}

	public static function drop($db, string $prefix) {
		foreach (['outbox', 'hook', 'command'] as $name) {
			$db->query("DROP TABLE IF EXISTS `{$prefix}crossdock_{$name}`");
		}
	}

	/** Names and addresses of the gateways that are told. */
	public static function hooks($db, string $prefix): array {
		return $db->query("SELECT `store_id`, `url`, `secret` FROM `{$prefix}crossdock_hook` ORDER BY `store_id`")->rows;
	}

	/** Sets who is told of a store's orders (-1: of all stores); no address ends it. */
	public static function setHook($db, string $prefix, int $store_id, string $url, string $secret) {
		$db->query("DELETE FROM `{$prefix}crossdock_hook` WHERE `store_id` = '" . $store_id . "'");
		if ($url !== '') {
			$db->query("INSERT INTO `{$prefix}crossdock_hook` SET `store_id` = '" . $store_id . "', `url` = '" . $db->escape($url) . "', `secret` = '" . $db->escape($secret) . "'");
		}
	}
}
