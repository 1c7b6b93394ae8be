<?php
namespace Opencart\Admin\Controller\Extension\Crossdock;

require_once DIR_EXTENSION . 'crossdock/system/library/crossdock/load.php';

/** The admin of 4.1 deletes orders past the catalog's model. */
class Hook extends \Opencart\System\Engine\Controller {
	public function deleted(string &$route = '', array &$args = [], mixed &$output = null): void {
		\Crossdock\Shop::changed($this->registry, (int)($args[0] ?? 0), 'order.deleted');
	}
}
