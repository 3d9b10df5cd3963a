<?php

declare(strict_types=1);

// Loads the bundle without Composer. The stubs stand for the few interfaces of Pimcore, Symfony and PSR that it meets.

error_reporting(\E_ALL);
ini_set('display_errors', 'stderr');
set_error_handler(static function (int $level, string $message, string $file, int $line): bool {
    // As Symfony does: what is not silenced is thrown.
    if (0 === (error_reporting() & $level)) {
        return false;
    }
    throw new ErrorException($message, 0, $level, $file, $line);
});
spl_autoload_register(static function (string $class): void {
    $prefix = 'Lockstep\\PimcoreBundle\\';
    if (str_starts_with($class, $prefix)) {
        require dirname(__DIR__).'/src/'.str_replace('\\', '/', substr($class, strlen($prefix))).'.php';
    }
});
require __DIR__.'/stubs/interfaces.php';
require __DIR__.'/stubs/elements.php';
