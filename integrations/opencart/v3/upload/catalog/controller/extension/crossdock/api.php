<?php
require_once DIR_SYSTEM . 'library/crossdock/load.php';

/** What the gateway calls. */
class ControllerExtensionCrossdockApi extends Controller {
	public function index() {
		$this->load->model('checkout/order');
		$answer = Crossdock\Shop::answer($this->registry, function ($order_id, $status_id, $comment, $notify) {
			$this->model_checkout_order->addOrderHistory($order_id, $status_id, $comment, $notify, true);
		});
		$this->response->addHeader('Content-Type: application/json');
		$this->response->setOutput($answer);
	}
}
