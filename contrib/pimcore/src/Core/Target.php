<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\Core;

/** Where notices go: one hook of lockstep, its secret, and what it wants to hear of. */
final class Target
{
    public const EVENTS = 'events';
    public const KEYS = 'keys';

    /** @param list<string> $classes empty: all */
    public function __construct(
        public readonly string $name,
        public readonly string $url,
        #[\SensitiveParameter]
        public readonly string $secret,
        public readonly array $classes = [],
        public readonly bool $assets = true,
        public readonly bool $documents = false,
        public readonly string $body = self::EVENTS,
    ) {
        if (!preg_match('~^https?://[^/?#\s]+~i', $url)) {
            throw new Mistake("target $name: url must begin with http:// or https://");
        }
        if ('' === $secret) {
            throw new Mistake("target $name has no secret");
        }
        if (!preg_match('/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/', $name)) {
            throw new Mistake("a target's name is made of letters, digits, '_', '.' and '-'");
        }
    }

    /**
     * Whether a hint goes to this target. What moved goes to all: below it may lie elements of any class, and they
     * have no event of their own.
     *
     * @param array<string, mixed> $hint
     */
    public function wants(array $hint): bool
    {
        if (self::KEYS === $this->body) {
            return 'object' === $hint['kind'] && 'folder' !== $hint['type'] && $this->wantsClass($hint['class']);
        }

        return match ($hint['kind']) {
            'asset' => $this->assets,
            'document' => $this->documents,
            'object' => null !== $hint['oldPath'] || $this->wantsClass($hint['class']),
            default => false,
        };
    }

    private function wantsClass(?string $class): bool
    {
        return [] === $this->classes || \in_array($class, $this->classes, true);
    }

    /** Secrets have no place in a dump. @return array<string, string> */
    public function __debugInfo(): array
    {
        return ['name' => $this->name];
    }
}
