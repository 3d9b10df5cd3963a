<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\Tests;

use Pimcore\Event\Model\ElementEventInterface;
use Psr\Log\LoggerInterface;
use Psr\Log\LoggerTrait;

/** A data object as far as the listener sees it. */
class FakeObject
{
    public function __construct(
        public ?int $id,
        public string $path = '/Products/p',
        public string $class = 'Product',
        public string $type = 'object',
        public bool $published = true,
        public int $date = 1795424261,
        public int $versions = 2,
    ) {
    }

    public function getId(): ?int
    {
        return $this->id;
    }

    public function getType(): string
    {
        return $this->type;
    }

    public function getClassName(): string
    {
        return $this->class;
    }

    public function getRealFullPath(): string
    {
        return $this->path;
    }

    public function isPublished(): bool
    {
        return $this->published;
    }

    public function getModificationDate(): int
    {
        return $this->date;
    }

    public function getVersionCount(): int
    {
        return $this->versions;
    }
}

/** A folder or an asset: no class, nothing to publish. */
final class FakePlain
{
    public function __construct(public int $id, public string $type, public string $path)
    {
    }

    public function getId(): int
    {
        return $this->id;
    }

    public function getType(): string
    {
        return $this->type;
    }

    public function getRealFullPath(): string
    {
        return $this->path;
    }

    public function getModificationDate(): int
    {
        return 1795424261;
    }

    public function getVersionCount(): int
    {
        return 1;
    }
}

final class FakeEvent implements ElementEventInterface
{
    public function __construct(private readonly object $element, private readonly array $arguments = [])
    {
    }

    public function getElement(): object
    {
        return $this->element;
    }

    public function getArguments(): array
    {
        return $this->arguments;
    }
}

/** Keeps what is logged. */
final class Lines implements LoggerInterface
{
    use LoggerTrait;

    /** @var list<string> */
    public array $lines = [];

    public function log($level, $message, array $context = []): void
    {
        $this->lines[] = "$level: $message ".json_encode($context);
    }
}
