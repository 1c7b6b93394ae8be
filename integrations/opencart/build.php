<?php
/**
 * Packs the two installable files: `dist/opencart3/crossdock.ocmod.zip` and `dist/opencart4/crossdock.ocmod.zip`.
 * OpenCart 4 takes the extension's name from the file's, so neither may be renamed. Same sources, same bytes.
 */
$root = __DIR__;
$files = function (string $folder) {
	$found = [];
	foreach (new RecursiveIteratorIterator(new RecursiveDirectoryIterator($folder, FilesystemIterator::SKIP_DOTS)) as $file) {
		$found[substr($file->getPathname(), strlen($folder) + 1)] = $file->getPathname();
	}
	ksort($found);
	return $found;
};
$pack = function (string $target, array $entries) {
	@mkdir(dirname($target), 0777, true);
	@unlink($target);
	$zip = new ZipArchive();
	if ($zip->open($target, ZipArchive::CREATE) !== true) {
		fwrite(STDERR, "cannot write {$target}\n");
		exit(1);
	}
	ksort($entries);
	foreach ($entries as $name => $path) {
		$zip->addFromString($name, file_get_contents($path));
		$zip->setMtimeName($name, 946684800);
	}
	$zip->close();
	echo $target, ' ', count($entries), " files\n";
};
$under = function (string $prefix, array $entries) {
	return array_combine(array_map(function ($name) use ($prefix) {
		return $prefix . $name;
	}, array_keys($entries)), $entries);
};
$library = $files($root . '/lib');
$pack($root . '/dist/opencart3/crossdock.ocmod.zip', $under('upload/', $files($root . '/v3/upload')) + $under('upload/system/library/', $library));
$pack($root . '/dist/opencart4/crossdock.ocmod.zip', $files($root . '/v4') + $under('system/library/', $library));
