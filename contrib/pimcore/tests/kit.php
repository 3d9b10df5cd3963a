<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\Tests;

/** What the tests share: a folder, servers and processes that end with the test, and checks. */
final class Kit
{
    public const SECRET = 'a-secret-nobody-may-ever-read-in-a-log';

    public readonly string $dir;
    public readonly Lines $log;
    /** @var list<resource> */
    private array $processes = [];

    public function __construct()
    {
        $this->dir = sys_get_temp_dir().'/lockstep-php-'.bin2hex(random_bytes(6));
        mkdir($this->dir);
        $this->log = new Lines();
        // Last of all: notifiers that have hints left write them down when the process ends.
        register_shutdown_function(fn () => register_shutdown_function(fn () => $this->remove($this->dir)));
    }

    public function end(): void
    {
        foreach ($this->processes as $process) {
            if (is_resource($process)) {
                proc_terminate($process, 9);
                proc_close($process);
            }
        }
        $this->remove($this->dir);
    }

    private function remove(string $path): void
    {
        foreach (array_diff((array) @scandir($path), ['.', '..', false]) as $name) {
            is_dir("$path/$name") ? $this->remove("$path/$name") : unlink("$path/$name");
        }
        @rmdir($path);
    }

    /** @return array{resource, array<int, resource>} */
    public function start(string $script, string ...$args): array
    {
        $process = proc_open([\PHP_BINARY, __DIR__.'/'.$script, ...$args], [['pipe', 'r'], ['pipe', 'w'], \STDERR], $pipes);
        $this->processes[] = $process;

        return [$process, $pipes];
    }

    /** Starts a hook and gives its URL. */
    public function server(string $answer = '202'): string
    {
        $this->answer($answer);
        [, $pipes] = $this->start('server.php', self::SECRET, $this->dir.'/taken', $this->dir.'/answer');

        return 'http://127.0.0.1:'.trim(fgets($pipes[1])).'/hooks/products';
    }

    public function answer(string $answer): void
    {
        file_put_contents($this->dir.'/answer', $answer);
    }

    /** The notices that were taken. @return list<array<string, mixed>> */
    public function taken(): array
    {
        $lines = is_file($this->dir.'/taken') ? file($this->dir.'/taken') : [];

        return array_map(static fn (string $l): array => json_decode($l, true, 16, \JSON_THROW_ON_ERROR), $lines);
    }

    /** The ids that were told, in order. @return list<int> */
    public function ids(): array
    {
        return array_merge(...array_map(static fn (array $n): array => array_column($n['events'], 'id'), $this->taken()), ...[[]]);
    }

    /** A port on which nobody listens. */
    public function closedPort(): string
    {
        $server = stream_socket_server('tcp://127.0.0.1:0');
        $name = stream_socket_get_name($server, false);
        fclose($server);

        return "http://$name/hooks/products";
    }

    /** @return array<string, mixed> */
    public function settings(string $url, array $target = [], array $more = []): array
    {
        return $more + ['spool' => $this->dir.'/spool', 'targets' => ['t' => $target + ['url' => $url, 'secret' => self::SECRET]]];
    }
}

function same(mixed $want, mixed $got, string $what = ''): void
{
    if ($want !== $got) {
        throw new \RuntimeException(trim("$what: want ".json_encode($want).', got '.json_encode($got), ': '));
    }
}

function holds(bool $true, string $what): void
{
    if (!$true) {
        throw new \RuntimeException($what);
    }
}

/** How often a field of a private object holds: the tests count the network's tries by it. */
function inside(object $of, string $name): mixed
{
    return (new \ReflectionProperty($of, $name))->getValue($of);
}
