<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\Core;

/** The body of a notice, made of lines of the spool: one event per element, its newest state. */
final class Batch
{
    private const JSON = \JSON_UNESCAPED_SLASHES | \JSON_UNESCAPED_UNICODE | \JSON_INVALID_UTF8_SUBSTITUTE | \JSON_THROW_ON_ERROR;

    private function __construct(public readonly string $body, public readonly int $events)
    {
    }

    /** @param array<string, mixed> $hint */
    public static function line(array $hint): string
    {
        return json_encode($hint, self::JSON)."\n";
    }

    /** @param list<string> $lines */
    public static function of(array $lines, string $form, int $now, bool $overflow): self
    {
        $events = [];
        foreach ($lines as $line) {
            $hint = json_decode($line, true);
            if (!\is_array($hint) || !isset($hint['kind'], $hint['id'])) {
                $overflow = true; // a torn line: something is lost here, the receiver must look at everything

                continue;
            }
            $of = $hint['kind'].' '.$hint['id'];
            // Moved twice, or moved and then saved: it has moved.
            $hint['oldPath'] = $events[$of]['oldPath'] ?? $hint['oldPath'] ?? null;
            unset($events[$of]); // its place is that of the newest event
            $events[$of] = $hint;
        }
        $body = Target::KEYS === $form
            ? ['keys' => array_map(static fn (array $h): string => (string) $h['id'], array_values($events))]
            : ['source' => 'pimcore', 'sent' => $now, 'events' => array_values($events)];
        if ($overflow) {
            $body['overflow'] = true;
        }
        // Two saves of one second can look alike; by this the second notice is none that was seen before.
        $body['notice'] = bin2hex(random_bytes(8));

        return new self(json_encode($body, self::JSON), \count($events));
    }
}
