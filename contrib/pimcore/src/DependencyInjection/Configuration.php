<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\DependencyInjection;

use Symfony\Component\Config\Definition\Builder\TreeBuilder;
use Symfony\Component\Config\Definition\ConfigurationInterface;

final class Configuration implements ConfigurationInterface
{
    public function getConfigTreeBuilder(): TreeBuilder
    {
        $tree = new TreeBuilder('lockstep_pimcore');
        $root = $tree->getRootNode();
        // One target needs no list: its url and secret may stand at the top.
        $root->beforeNormalization()->ifTrue(self::isShort(...))->then(self::long(...));
        $root->children()
            ->scalarNode('spool')->defaultValue('%kernel.project_dir%/var/lockstep/spool')->cannotBeEmpty()
                ->info('Folder of hints that wait. It must outlive a deployment.')->end()
            ->integerNode('batch')->defaultValue(200)->min(1)->max(1000)
                ->info('Events in one notice; a long process sends whenever so many have come together.')->end()
            ->floatNode('hold')->defaultValue(5.0)->min(0)
                ->info('A long process also sends, at its next save, what is older than so many seconds; 0: no.')->end()
            ->floatNode('connect_timeout')->defaultValue(0.3)->min(0.01)->end()
            ->floatNode('timeout')->defaultValue(2.0)->min(0.05)->max(30)
                ->info('Seconds that sending may take, all targets together.')->end()
            ->floatNode('pause')->defaultValue(30.0)->min(0)
                ->info('After a failure nothing is tried for so many seconds.')->end()
            ->integerNode('max_bytes')->defaultValue(64 << 20)->min(1 << 16)
                ->info('Size of the spool, for each target. Beyond it hints are dropped and the next notice says so.')->end();
        // None: nobody is told anything, as is right on a developer's machine.
        $root->children()->arrayNode('targets')->useAttributeAsKey('name')->arrayPrototype()->children()
            ->scalarNode('url')->isRequired()->cannotBeEmpty()->info('The hook: https://lockstep.example.com/hooks/products')->end()
            ->scalarNode('secret')->isRequired()->cannotBeEmpty()->info('The secret of the hook; best an environment variable.')->end()
            ->arrayNode('classes')->scalarPrototype()->end()->info('Classes of data objects; none: all.')->end()
            ->booleanNode('assets')->defaultTrue()->end()
            ->booleanNode('documents')->defaultFalse()->end()
            ->enumNode('body')->values(['events', 'keys'])->defaultValue('events')
                ->info('keys: only the ids of objects, for a flow whose source is not of type pimcore.')->end();

        return $tree;
    }

    private static function isShort(mixed $config): bool
    {
        return \is_array($config) && isset($config['url']);
    }

    /**
     * @param array<string, mixed> $config
     *
     * @return array<string, mixed>
     */
    private static function long(array $config): array
    {
        $own = array_flip(['url', 'secret', 'classes', 'assets', 'documents', 'body']);
        $config['targets']['lockstep'] = array_intersect_key($config, $own);

        return array_diff_key($config, $own);
    }
}
