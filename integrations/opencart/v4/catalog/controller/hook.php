<?php
namespace Opencart\Catalog\Controller\Extension\Crossdock;

require_once DIR_EXTENSION . 'crossdock/system/library/crossdock/load.php';

/** What OpenCart calls when an order changed. Called from outside it does nothing. */
class Hook extends \Opencart\System\Engine\Controller {
	public function changed(string &$route = '', array &$args = [], mixed &$output = null): void {
		\Crossdock\Shop::changed($this->registry, (int)($args[0] ?? 0), 'order.updated');
	}

	public function deleted(string &$route = '', array &$args = [], mixed &$output = null): void {
		\Crossdock\Shop::changed($this->registry, (int)($args[0] ?? 0), 'order.deleted');
	}
}
