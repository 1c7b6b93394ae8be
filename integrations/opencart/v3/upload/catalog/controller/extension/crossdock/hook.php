<?php
require_once DIR_SYSTEM . 'library/crossdock/load.php';

/** What OpenCart calls when an order changed. Called from outside it does nothing. */
class ControllerExtensionCrossdockHook extends Controller {
	public function changed(&$route = '', &$args = array(), &$output = null) {
		Crossdock\Shop::changed($this->registry, isset($args[0]) ? (int)$args[0] : 0, 'order.updated');
	}

	public function deleted(&$route = '', &$args = array(), &$output = null) {
		Crossdock\Shop::changed($this->registry, isset($args[0]) ? (int)$args[0] : 0, 'order.deleted');
	}
}
